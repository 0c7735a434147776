//! Portable migrations on real servers.

mod catalog;
mod dropped;
mod effects;
mod facts;
mod interrupted;
mod keys;
mod model;
mod more;
mod nonsense;
mod pages;
mod patterns;
mod plan;
mod random;
mod sample;
mod schemas;
mod service;
mod sqlite;
mod sweep;
