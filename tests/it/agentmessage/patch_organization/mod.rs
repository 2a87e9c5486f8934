//! PATCH /v1/organization, by theme.

mod all_or_nothing;
mod attestation;
mod audit;
mod auto_replies;
mod billing_email;
mod body;
mod check_order;
mod fields;
mod media_type;
mod name;
mod no_op;
mod preconditions;
mod quiet_hours;
mod reseller;
mod retention;
