//! What the library does, seen from outside: over HTTP, against the emulator.

mod main_job;
