//! Every bug that the simulator found in the core, as the smallest scenario that showed it. Scenarios,
//! unlike seeds, survive changes of the code.

use std::{fs, path::Path};

use outbox_sim::{run, scenario::Scenario, standard::Standard};

#[test]
fn no_bug_has_come_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut played = 0;
    for entry in fs::read_dir(&folder).expect("the folder is in the repository") {
        let path = entry.expect("the folder can be read").path();
        let text = fs::read_to_string(&path).expect("a scenario can be read");
        let scenario: Scenario = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: not a scenario: {error}", path.display()));
        let report = run(&Standard, &scenario);
        if let Some(violation) = report.violation {
            panic!("{}: {violation:?}", path.display());
        }
        played += 1;
    }
    assert!(played >= 2, "only {played} scenarios were found in {}", folder.display());
}
