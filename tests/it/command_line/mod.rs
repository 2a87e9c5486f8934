//! The program as its operators run it: commands, configuration, start and stop.
