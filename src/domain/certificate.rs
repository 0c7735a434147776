use std::str::FromStr;

use super::Role;

/// One of the names in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// The subject's common name.
    CommonName(String),
    /// A host name among the alternative names, compared without regard to case.
    Dns(String),
    /// A mail address among them.
    Email(String),
    /// A URI among them, such as a SPIFFE id.
    Uri(String),
}

impl CertificateName {
    /// The name itself.
    pub fn text(&self) -> &str {
        match self {
            Self::CommonName(text) | Self::Dns(text) | Self::Email(text) | Self::Uri(text) => text,
        }
    }

    /// Whether it is the same name.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dns(one), Self::Dns(two)) => one.eq_ignore_ascii_case(two),
            _ => self == other,
        }
    }
}

/// Which role the bearer of a certificate with a certain name has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// The name, whole; there are no wildcards.
    pub name: CertificateName,
    /// The role.
    pub role: Role,
}

impl FromStr for CertificateRule {
    type Err = String;

    /// Reads `cn:NAME = ROLE`, and the same with `dns:`, `email:` and `uri:`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            let text = super::shorten(text, 60);
            format!(
                "'{text}' is not a rule for certificates; write one such as 'cn:hq-backend = HeadOfficeAdmin', with \
                 cn:, dns:, email: or uri: and HeadOfficeAdmin or HeadOfficeViewer"
            )
        };
        let (name, role) = text.rsplit_once('=').ok_or_else(bad)?;
        let (kind, name) = name.trim().split_once(':').ok_or_else(bad)?;
        let role = Role::from_name(role.trim()).ok_or_else(bad)?;
        let name = name.trim().to_owned();
        if name.is_empty() || name.len() > 255 || name.contains(char::is_control) {
            return Err(bad());
        }
        let name = match kind {
            "cn" => CertificateName::CommonName(name),
            "dns" => CertificateName::Dns(name),
            "email" => CertificateName::Email(name),
            "uri" => CertificateName::Uri(name),
            _ => return Err(bad()),
        };
        Ok(Self { name, role })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rule: CertificateRule = " cn:a=b = HeadOfficeAdmin".parse().unwrap();
        assert_eq!(rule, CertificateRule { name: CertificateName::CommonName("a=b".into()), role: Role::Admin });
        let rule: CertificateRule = "uri:spiffe://hq/ci=HeadOfficeViewer".parse().unwrap();
        assert_eq!(rule.name, CertificateName::Uri("spiffe://hq/ci".into()));
        for bad in
            ["", "cn:x", "cn: = HeadOfficeAdmin", "x = HeadOfficeAdmin", "ou:x = HeadOfficeAdmin", "cn:x = Admin"]
        {
            assert!(bad.parse::<CertificateRule>().unwrap_err().contains("hq-backend"), "{bad}");
        }
    }
}
