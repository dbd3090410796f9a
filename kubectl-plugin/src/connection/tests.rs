//! What the flags make of a kubeconfig.

mod sent;

use super::*;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: c1, cluster: {server: 'https://192.0.2.1:6443'}}
- {name: c2, cluster: {server: 'https://192.0.2.2:6443'}}
users:
- {name: u1, user: {username: basic, password: secret}}
- {name: u2, user: {token: t2}}
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: bigip}}
- {name: two, context: {cluster: c2, user: u2}}
";

/// The configuration that these flags make of the kubeconfig above.
async fn config(connection: Connection) -> Result<Config, Error> {
    let kubeconfig = Kubeconfig::from_yaml(KUBECONFIG).unwrap();
    let mut config = connection.with_kubeconfig(kubeconfig).await?;
    connection.apply(&mut config)?;
    Ok(config)
}

#[tokio::test]
async fn without_flags_the_current_context_counts() {
    let config = config(Connection::default()).await.unwrap();
    assert_eq!(config.cluster_url, "https://192.0.2.1:6443");
    assert_eq!(config.default_namespace, "bigip");
}

#[tokio::test]
async fn context_cluster_user_and_namespace_can_be_chosen() {
    let chosen = config(Connection {
        context: Some("two".into()),
        ..Connection::default()
    })
    .await
    .unwrap();
    assert_eq!(chosen.cluster_url, "https://192.0.2.2:6443");
    assert_eq!(chosen.default_namespace, "default");

    let mixed = config(Connection {
        cluster: Some("c2".into()),
        user: Some("u2".into()),
        namespace: Some("lab".into()),
        ..Connection::default()
    });
    let mixed = mixed.await.unwrap();
    assert_eq!(mixed.cluster_url, "https://192.0.2.2:6443");
    assert_eq!(mixed.auth_info.username, None);
    assert_eq!(mixed.default_namespace, "lab");
}

#[tokio::test]
async fn missing_context_is_an_error_that_names_it() {
    let error = config(Connection {
        context: Some("three".into()),
        ..Connection::default()
    })
    .await;
    assert!(error.unwrap_err().to_string().contains("three"));
}

#[tokio::test]
async fn token_precedes_any_login_of_the_kubeconfig() {
    let config = config(Connection {
        token: Some("t".into()),
        ..Connection::default()
    })
    .await
    .unwrap();
    assert!(config.auth_info.token.is_some());
    assert_eq!(config.auth_info.username, None);
}

#[tokio::test]
async fn server_tls_and_impersonation_are_taken_over() {
    let config = config(Connection {
        server: Some(Uri::from_static("https://192.0.2.9")),
        insecure_skip_tls_verify: true,
        tls_server_name: Some("kubernetes".into()),
        impersonate: Some("me".into()),
        impersonate_groups: vec!["a".into(), "b".into()],
        ..Connection::default()
    });
    let config = config.await.unwrap();
    assert_eq!(config.cluster_url, "https://192.0.2.9/");
    assert!(config.accept_invalid_certs);
    assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
    assert_eq!(config.auth_info.impersonate.as_deref(), Some("me"));
    assert_eq!(
        config.auth_info.impersonate_groups,
        Some(vec!["a".into(), "b".into()])
    );
}

#[tokio::test]
async fn server_flag_needs_no_kubeconfig() {
    let server = Some(Uri::from_static("https://192.0.2.9"));
    let connection = Connection {
        server,
        ..Connection::default()
    };
    let config = connection
        .with_kubeconfig(Kubeconfig::default())
        .await
        .unwrap();
    assert_eq!(config.cluster_url, "https://192.0.2.9/");
}

#[test]
fn ca_file_without_certificates_is_refused() {
    let refused = |path: &str| {
        read_certificates(&PathBuf::from(path))
            .unwrap_err()
            .to_string()
    };
    assert!(refused("/nonexistent/ca.crt").contains("/nonexistent/ca.crt"));
    assert!(refused(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).contains("no certificate"));
}

#[test]
fn timeout_is_parsed_as_in_kubectl() {
    let seconds = |number| Ok(RequestTimeout(Some(Duration::from_secs(number))));
    assert_eq!(parse_timeout("0"), Ok(RequestTimeout(None)));
    assert_eq!(parse_timeout("0s"), Ok(RequestTimeout(None)));
    assert_eq!(parse_timeout("5"), seconds(5));
    assert_eq!(parse_timeout("1s"), seconds(1));
    assert_eq!(parse_timeout("2m"), seconds(120));
    assert_eq!(parse_timeout("3h"), seconds(10_800));
    for text in ["", "soon", "-1s", "5 parsecs"] {
        assert!(parse_timeout(text).is_err(), "{text}");
    }
}

/// What is said about these flags, and the exit code.
async fn refused(connection: Connection) -> (String, u8) {
    let error = config(connection).await.unwrap_err();
    (error.to_string(), error.code())
}

#[tokio::test]
async fn incomplete_login_and_two_logins_are_usage_errors() {
    let half = refused(Connection {
        username: Some("me".into()),
        ..Connection::default()
    });
    let message = "a user name and a password are needed together";
    assert_eq!(half.await, (message.to_owned(), 2));
    let both = refused(Connection {
        username: Some("me".into()),
        password: Some("secret".into()),
        token: Some("t".into()),
        ..Connection::default()
    });
    let message = "a token and a user name are two logins";
    assert_eq!(both.await, (message.to_owned(), 2));
}

#[tokio::test]
async fn impersonation_uid_without_a_user_is_a_usage_error() {
    let message = "a UID, groups or extras can only be acted as together with a user";
    let uid = refused(Connection {
        impersonate_uid: Some("u-1".into()),
        ..Connection::default()
    });
    assert_eq!(uid.await, (message.to_owned(), 2));
    let extra = refused(Connection {
        impersonate_extra: vec![("reason".into(), "chg1".into())],
        ..Connection::default()
    });
    assert_eq!(extra.await, (message.to_owned(), 2));
}

#[tokio::test]
async fn unusable_client_certificate_names_the_file() {
    let missing = refused(Connection {
        client_certificate: Some("/nonexistent/me.crt".into()),
        client_key: Some("/nonexistent/me.key".into()),
        ..Connection::default()
    });
    let (message, code) = missing.await;
    let begin = "client certificate \"/nonexistent/me.crt\": ";
    assert!(message.starts_with(begin), "{message}");
    assert_eq!(code, 3);
    let no_key = refused(Connection {
        client_key: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into()),
        ..Connection::default()
    });
    let (message, _) = no_key.await;
    assert!(message.starts_with("client key "), "{message}");
}

#[tokio::test]
async fn client_certificate_without_its_key_is_a_usage_error() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("me.crt");
    let made = rcgen::generate_simple_self_signed(["me".to_owned()]).unwrap();
    std::fs::write(&file, made.cert.pem()).unwrap();
    let half = refused(Connection {
        client_certificate: Some(file),
        ..Connection::default()
    });
    let message = "a client certificate and its key are needed together";
    assert_eq!(half.await, (message.to_owned(), 2));
}

#[test]
fn extra_is_a_key_and_a_value() {
    let extra = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
    assert_eq!(parse_extra("scopes=read=all"), extra("scopes", "read=all"));
    assert_eq!(parse_extra("scopes="), extra("scopes", ""));
    for text in ["", "scopes", "=read"] {
        assert!(parse_extra(text).is_err(), "{text}");
    }
}
