//! What a client's certificate says about who it is. That it is genuine has been verified by then.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::{CertificateName, CertificateRule, Role};

/// The most names taken from one certificate.
const MAX_NAMES: usize = 100;

/// The names in a certificate, in DER; empty when it cannot be read.
pub(in crate::rpc) fn names_of(der: &[u8]) -> Vec<CertificateName> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let own = |text: &str| text.to_owned();
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let mut names: Vec<_> = common.map(own).map(CertificateName::CommonName).take(MAX_NAMES).collect();
    if let Ok(Some(alternatives)) = certificate.subject_alternative_name() {
        let others = alternatives.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(text) => Some(CertificateName::Dns(own(text))),
            GeneralName::RFC822Name(text) => Some(CertificateName::Email(own(text))),
            GeneralName::URI(text) => Some(CertificateName::Uri(own(text))),
            _ => None,
        });
        names.extend(others.take(MAX_NAMES));
    }
    names
}

/// The name and the role that the first rule gives that fits one of the names; without one, the first name and no role.
pub(super) fn identity(names: &[CertificateName], rules: &[CertificateRule]) -> Option<(String, Option<Role>)> {
    let fitting = rules.iter().find_map(|rule| Some((names.iter().find(|name| name.is(&rule.name))?, rule.role)));
    let (name, role) = match fitting {
        Some((name, role)) => (name, Some(role)),
        None => (names.first()?, None),
    };
    let plain: String = name.text().chars().filter(|c| !c.is_control()).collect();
    Some((crate::domain::shorten(&plain, 100), role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_mapped() {
        let mut params = rcgen::CertificateParams::new(vec!["Ci.Example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "deploy");
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let names = names_of(certificate.der());
        let common = CertificateName::CommonName("deploy".into());
        assert_eq!(names, [common.clone(), CertificateName::Dns("Ci.Example".into())]);
        let rule = |text: &str| text.parse::<CertificateRule>().unwrap();
        let viewer = [rule("cn:ci.example = HeadOfficeAdmin"), rule("dns:ci.example = HeadOfficeViewer")];
        assert_eq!(identity(&names, &viewer), Some(("Ci.Example".into(), Some(Role::Viewer))));
        assert_eq!(identity(&names, &[rule("cn:Deploy = HeadOfficeAdmin")]), Some(("deploy".into(), None)));
        assert_eq!(identity(&[], &viewer), None);
        assert!(names_of(b"nonsense").is_empty());
    }
}
