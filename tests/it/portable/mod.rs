//! Portable migrations on real servers.

mod catalog;
mod interrupted;
mod pages;
mod patterns;
mod plan;
mod random;
mod sample;
mod service;
