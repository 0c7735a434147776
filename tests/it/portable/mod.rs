//! Portable migrations on real servers.

mod catalog;
mod interrupted;
mod keys;
mod pages;
mod patterns;
mod plan;
mod random;
mod sample;
mod service;
mod sqlite;
