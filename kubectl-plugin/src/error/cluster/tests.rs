//! What people see of a failure of the Kubernetes client.

use kube::config::Kubeconfig;

use super::*;

fn access() -> Access {
    let mut config = kube::Config::new("https://192.0.2.1:6443".parse().unwrap());
    let plugin = serde_json::json!({
        "command": "get-login",
        "args": ["canary"],
        "installHint": "install get-login from your company's portal",
    });
    config.auth_info.exec = Some(serde_json::from_value(plugin).unwrap());
    Access::of(&config, Some("prod".into()))
}

fn told(error: &kube::Error) -> String {
    let mut text = Vec::new();
    unanswered(error, &access()).tell(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What `sh -c SCRIPT` ends with.
fn output(script: &str) -> Output {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script]).output().unwrap()
}

fn failed_run(script: &str) -> kube::Error {
    kube::Error::Auth(AuthError::AuthExecRun {
        cmd: "CANARY=canary get-login --secret canary".into(),
        out: Box::new(output(script)),
    })
}

#[test]
fn failed_plugin_shows_name_code_and_its_stderr_only() {
    let error = failed_run("echo canary; printf 'no\\033[31m ticket\\n' >&2; exit 7");
    insta::assert_snapshot!(told(&error), @r#"
    error: cannot log in to https://192.0.2.1:6443 (context "prod"): credential plugin "get-login" failed with exit code 7: no [31m ticket
    hint: install get-login from your company's portal
    "#);
    assert!(told(&failed_run("kill -9 $$")).contains("\"get-login\" ended by a signal\n"));
}

#[test]
fn missing_plugin_is_not_found_in_path() {
    let error = io::Error::from(io::ErrorKind::NotFound);
    let error = kube::Error::Auth(AuthError::AuthExecStart(error));
    insta::assert_snapshot!(told(&error), @r#"
    error: cannot log in to https://192.0.2.1:6443 (context "prod"): credential plugin "get-login" not found in PATH
    hint: install get-login from your company's portal
    "#);
}

#[test]
fn plugin_that_fails_at_a_refresh_is_reported_alike() {
    let error = AuthError::AuthExecStart(io::ErrorKind::NotFound.into());
    let error = kube::Error::Service(Box::new(error));
    assert!(told(&error).contains("\"get-login\" not found in PATH"));
}

#[test]
fn no_login_problem_shows_the_librarys_text() {
    let token = http::HeaderValue::from_str("canary\n").unwrap_err();
    for problem in [
        AuthError::ExecPluginFailed,
        AuthError::MissingCommand,
        AuthError::AuthExec("canary".into()),
        AuthError::InvalidBearerToken(token),
        AuthError::MalformedTokenExpirationDate("canary".parse::<jiff::Timestamp>().unwrap_err()),
        AuthError::ParseTokenKey(serde_json::from_str::<u8>("\"canary\"").unwrap_err()),
    ] {
        let text = told(&kube::Error::Auth(problem));
        assert!(
            text.starts_with("error: cannot log in to https://"),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn unreachable_server_is_named_with_context_and_cause() {
    let of = |error: io::Error| told(&kube::Error::Service(Box::new(error)));
    insta::assert_snapshot!(of(io::ErrorKind::ConnectionRefused.into()), @r#"
    error: cannot reach https://192.0.2.1:6443 (context "prod"): connection refused
    hint: kubectl cluster-info tells whether it is the cluster or the plugin
    "#);
    let wrapped = io::Error::other(io::Error::from(io::ErrorKind::TimedOut));
    assert!(of(wrapped).contains(": connection timed out\n"));
    let lookup = io::Error::other("failed to lookup address information: canary");
    assert!(of(lookup).contains(": host name not found\n"));
    assert!(
        of(io::Error::other("see https://canary.example.com")).contains(": input/output error\n")
    );
}

#[test]
fn certificate_problems_are_named_by_their_kind() {
    let of = |problem| {
        let tls = rustls::Error::InvalidCertificate(problem);
        told(&kube::Error::Service(Box::new(io::Error::other(tls))))
    };
    assert!(of(CertificateError::UnknownIssuer).contains("signed by an unknown authority"));
    assert!(of(CertificateError::Expired).contains("certificate has expired"));
    assert!(of(CertificateError::NotValidForName).contains("--tls-server-name"));
}

#[test]
fn broken_kubeconfig_is_named_by_line_and_never_quoted() {
    let broken = "clusters:\n- name: c\n  cluster: {server: canary\nusers: canary: [canary\n";
    let error = Kubeconfig::from_yaml(broken).unwrap_err();
    let text = kubeconfig_problem(&error);
    assert!(
        text.contains("invalid YAML") && text.contains(" in line "),
        "{text}"
    );
    assert!(!text.contains("canary"), "{text}");
    let wrong_type = "users:\n- name: u\n  user: {exec: {args: canary}}\n";
    let text = kubeconfig_problem(&Kubeconfig::from_yaml(wrong_type).unwrap_err());
    assert!(!text.contains("canary"), "{text}");
}
