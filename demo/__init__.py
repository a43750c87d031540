"""The main job on real data: this host's metrics through the README's TICKscripts, shown live."""
