//! Which services the server has. A service gets in only together with its descriptor, and reflection and health list
//! what got in, so that none of the three can differ from the others.

use std::convert::Infallible;

use axum::Router;
use axum::response::IntoResponse;
use http::Request;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_reflection::server::Builder;
use tower::Service;

use super::server::ServeError;

/// The services, as they are put together.
#[derive(Default)]
pub(super) struct Registry {
    routes: Routes,
    names: Vec<&'static str>,
    descriptors: Vec<&'static [u8]>,
}

impl Registry {
    /// Adds a service that `descriptors`, an encoded `FileDescriptorSet`, describes.
    pub(super) fn add<S>(&mut self, service: S, descriptors: &'static [u8]) -> Result<(), ServeError>
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        if !describes(descriptors, S::NAME) {
            return Err(ServeError::NotDescribed(S::NAME));
        }
        self.routes = std::mem::take(&mut self.routes).add_service(service);
        self.names.push(S::NAME);
        if !self.descriptors.contains(&descriptors) {
            self.descriptors.push(descriptors);
        }
        Ok(())
    }

    /// The names of the services.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The services' routes alone.
    pub(super) fn into_router(self) -> Router {
        self.routes.into_axum_router().reset_fallback()
    }

    /// Adds both versions of reflection, over these services, over `others` and over itself.
    pub(super) fn add_reflection(&mut self, others: &Self) -> Result<(), ServeError> {
        use tonic_reflection::pb::{v1, v1alpha};
        const NAMES: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
        // Error details are no part of any service, but whoever shows an error wants to read them.
        let own = [v1::FILE_DESCRIPTOR_SET, v1alpha::FILE_DESCRIPTOR_SET, tonic_types::pb::FILE_DESCRIPTOR_SET];
        let sets: Vec<_> = others.descriptors.iter().chain(&self.descriptors).chain(&own).copied().collect();
        let names: Vec<_> = others.names.iter().chain(&self.names).chain(&NAMES).copied().collect();
        let builder = || {
            let builder = Builder::configure().include_reflection_service(false);
            let builder = sets.iter().fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set));
            names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
        };
        let broken = |error: tonic_reflection::server::Error| ServeError::Reflection(error.to_string());
        self.add(builder().build_v1().map_err(broken)?, v1::FILE_DESCRIPTOR_SET)?;
        self.add(builder().build_v1alpha().map_err(broken)?, v1alpha::FILE_DESCRIPTOR_SET)
    }
}

fn describes(descriptors: &[u8], name: &str) -> bool {
    let Ok(set) = FileDescriptorSet::decode(descriptors) else { return false };
    set.file.iter().any(|file| {
        let package = file.package();
        file.service.iter().any(|service| format!("{package}.{}", service.name()) == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto;

    #[test]
    fn a_service_without_its_descriptor_stays_out() {
        let (_, service) = tonic_health::server::health_reporter();
        let mut registry = Registry::default();
        assert!(matches!(registry.add(service.clone(), proto::DESCRIPTORS), Err(ServeError::NotDescribed(_))));
        assert!(matches!(registry.add(service.clone(), b"nonsense"), Err(ServeError::NotDescribed(_))));
        registry.add(service, tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
        assert_eq!(registry.names(), ["grpc.health.v1.Health"]);
        assert!(describes(proto::DESCRIPTORS, "branchkeeper.v1.MigrationService"));
    }
}
