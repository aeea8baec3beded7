"""A small CSI driver over btrfs subvolumes: real volumes and real snapshots on one machine."""
