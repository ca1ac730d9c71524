//! Builds vnflab's own VM images from Debian packages, without root and without loop devices.
