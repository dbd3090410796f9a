//! How the harness starts and ends an operator, with a script in its place: a real one is started
//! by the integration tests.

use std::net::SocketAddr;
use std::path::Path;

use bigip_tunnel_harness::operator::{OperatorError, OperatorOptions, OperatorProcess};
use bigip_tunnel_harness::supervise::Exit;

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_control-plane");
const LISTENS: &str = r#"echo '{"fields":{"listen_address":"127.0.0.1:4321"}}' >&2"#;

async fn start(
    script: &str,
    mut options: OperatorOptions,
) -> Result<OperatorProcess, OperatorError> {
    options.env.push(("SCRIPT".to_owned(), script.to_owned()));
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operator.sh");
    OperatorProcess::start_program(Path::new(SUPERVISOR), &program, options).await
}

#[tokio::test]
async fn operator_counts_as_started_when_it_logs_its_address() {
    let script = format!("{LISTENS}; exec sleep 1000");
    let operator = start(&script, OperatorOptions::default()).await.unwrap();
    assert_eq!(
        operator.listen_address(),
        SocketAddr::from(([127, 0, 0, 1], 4321))
    );
}

#[tokio::test]
async fn operator_gets_options_as_flags_and_environment() {
    let options = OperatorOptions {
        kubeconfig: Some("/some/kubeconfig".into()),
        watch_namespaces: vec!["one".to_owned(), "two".to_owned()],
        settle_seconds: Some(3),
        lease: Some(("here".to_owned(), "lease".to_owned())),
        args: vec!["--more".to_owned()],
        env: vec![("NAME".to_owned(), "value".to_owned())],
    };
    let script = format!("echo \"$KUBECONFIG $NAME $*\" >&2; {LISTENS}; exec sleep 1000");
    let operator = start(&script, options).await.unwrap();
    assert_eq!(
        operator.log().first().unwrap(),
        "/some/kubeconfig value --listen=127.0.0.1:0 --leader-elect=true --log-format=json \
         --lease-namespace=here --lease-name=lease --settle-seconds=3 --watch-namespace=one --watch-namespace=two --more"
    );
}

#[tokio::test]
async fn early_exit_of_the_operator_is_an_error_with_its_log() {
    let error = start("echo 'no cluster' >&2; exit 4", OperatorOptions::default()).await;
    let Err(OperatorError::Ended { exit, log }) = error else {
        unreachable!("the script ends at once: {error:?}")
    };
    assert_eq!((exit, log.as_str()), (Exit::Code(4), "no cluster"));
}

#[tokio::test]
async fn exit_code_after_sigterm_is_returned() {
    let script = format!("trap 'exit 0' TERM; {LISTENS}; while :; do sleep 0.01; done");
    let operator = start(&script, OperatorOptions::default()).await.unwrap();
    assert_eq!(operator.terminate().await.unwrap(), Exit::Code(0));
}
