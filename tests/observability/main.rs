//! What an operator sees: spans by a subscriber, and metrics by a recorder, while real requests go
//! through an application.

mod guide;
mod measured;
mod recorder;
mod spans;
