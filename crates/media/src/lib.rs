//! Day-0 disks made in memory: ISO 9660 images and NoCloud contents.
