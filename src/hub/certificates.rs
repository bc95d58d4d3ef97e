//! Whose certificates are trusted: as curl and Python do, those of the system, or those that
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` name. And what an error about them means.

use rustls::{CertificateError, RootCertStore};
use ureq::tls::{Certificate, RootCerts};

/// What happened, and what to do.
type Explained = (String, String);

/// The variables that name certificates, as far as they are set, with what they name.
fn named() -> Vec<String> {
    let variables = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter();
    let set = variables.filter_map(|name| Some((name, std::env::var(name).ok()?)));
    set.filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// The authorities that are trusted. A system that has none, as small containers do, gets the list
/// that browsers have.
pub(super) fn trusted() -> Result<RootCerts, Explained> {
    let found = rustls_native_certs::load_native_certs();
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(found.certs.iter().cloned());
    if usable > 0 {
        let certificates = found.certs.iter().map(|c| Certificate::from_der(c).to_owned());
        return Ok(RootCerts::from(certificates));
    }
    let named = named();
    if named.is_empty() {
        return Ok(RootCerts::WebPki);
    }
    let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
    let why = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
    Err((
        format!("no certificate can be read from {}{why}", named.join(" and ")),
        "name a file of certificates in PEM form (it has lines BEGIN CERTIFICATE) there, or unset \
         the variable, so that the system's certificates are used"
            .into(),
    ))
}

/// Nobody is trusted.
pub(super) fn none() -> RootCerts {
    RootCerts::from([])
}

/// What an error of an encrypted connection means; `None` for any other.
pub(super) fn explain(error: &ureq::Error) -> Option<Explained> {
    let error = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    let rustls::Error::InvalidCertificate(error) = error else {
        return Some((
            format!("no encrypted connection can be made ({error})"),
            "check the address (http: or https:?) and https_proxy; the server, or a proxy before it, \
             does not speak the encryption (TLS 1.2 or 1.3) that is spoken here"
                .into(),
        ));
    };
    let (found, todo) = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the server's certificate has expired",
            "check this machine's date and clock (`date`); where they are right, the server's owner \
             has to renew the certificate"
                .to_string(),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet",
            "check this machine's date and clock (`date`)".to_string(),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            "the server's certificate is for another host name",
            "check the address; a log-in page or a proxy may have answered in the server's place: \
             open the address in a browser"
                .to_string(),
        ),
        CertificateError::UnknownIssuer => {
            let named = named();
            let now = match named.is_empty() {
                true => String::new(),
                false => format!(" (now {}, and these certificates alone count)", named.join(", ")),
            };
            (
                "the server's certificate was issued by nobody who is trusted here",
                format!(
                    "if it is your own server, or a proxy of your company or school that intercepts \
                     encrypted connections, name the file with its CA certificate (PEM) in \
                     SSL_CERT_FILE{now}; otherwise do not trust this connection"
                ),
            )
        }
        _ => (
            "the server's certificate is not accepted",
            "the server needs a certificate of its own that is issued by an authority (CA) whose \
             certificate is in SSL_CERT_FILE or in the system's store"
                .to_string(),
        ),
    };
    Some((format!("{found} ({error})"), todo))
}
