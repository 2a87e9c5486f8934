//! Operations of the Tether dialect, one file each.
