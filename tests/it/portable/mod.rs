//! Portable migrations on real servers.

mod catalog;
mod effects;
mod interrupted;
mod pages;
mod patterns;
mod plan;
mod random;
mod sample;
mod service;
