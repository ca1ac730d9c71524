//! What a lab is: files, kinds, checks, blueprints and plans. No I/O, no clock, no environment.
