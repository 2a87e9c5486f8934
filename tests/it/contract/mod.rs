//! Rules for every operation of both specs.

mod audit_coverage;
mod authorization_table;
mod cors;
mod credentials;
mod error_codes;
mod every_setting;
mod generated_is_current;
mod isolation;
mod methods;
mod outside;
mod patterns;
mod preconditions;
mod root;
mod served_documents;
mod upstream;
