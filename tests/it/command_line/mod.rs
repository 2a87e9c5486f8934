//! The program as its operators run it: commands, configuration, start and stop.

mod acknowledged;
mod anchors;
mod audit;
mod audit_export;
mod backup;
mod configuration;
mod crash;
mod demo;
mod full_disk;
mod http_client;
mod key_secrets;
mod keys;
mod log_secrets;
mod organizations;
mod other_processes;
mod program;
mod serve;
mod slow_clients;
mod stop;
mod token;
