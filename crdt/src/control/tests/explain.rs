//! Why: the ops behind a state, and the rules.

use super::*;

#[test]
fn a_removal_is_explained_by_who_removed_whom_and_what_did_not_count() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    let joined = admit(&mut log, 2, Role::Member, carol());
    let mut bobs = log.clone();
    let removed = log.author(&alice().phone, remove(carol()), NOW).unwrap();
    let promoted = bobs
        .author(&bob().phone, role(carol(), Role::Moderator), NOW)
        .unwrap();
    meet(&mut log, &mut bobs);
    let told: Vec<_> = log
        .why_account(&carol().account())
        .into_iter()
        .map(|step| (step.op, step.author, step.deed, step.verdict))
        .collect();
    let by = removed.id();
    let mut expected = vec![
        (by, alice().account(), Deed::Remove, Verdict::Stands),
        (
            promoted.id(),
            bob().account(),
            Deed::SetRole(Role::Moderator),
            Verdict::Void(Rule::Outranked { by }),
        ),
    ];
    if promoted.id() > removed.id() {
        expected.reverse();
    }
    expected.push((
        joined.id(),
        carol().account(),
        Deed::Join(Some(Role::Member)),
        Verdict::Stands,
    ));
    assert_eq!(told, expected);
}

#[test]
fn a_void_op_is_explained_down_to_what_stands() {
    let mut log = founded();
    admit(&mut log, 1, Role::Admin, bob());
    admit(&mut log, 2, Role::Member, carol());
    let mut carols = log.clone();
    let promoted = carols
        .author(&bob().phone, role(carol(), Role::Admin), NOW)
        .unwrap();
    let renamed = carols.author(&carol().phone, name("carol's"), NOW).unwrap();
    let removed = log.author(&alice().phone, remove(bob()), NOW).unwrap();
    meet(&mut log, &mut carols);
    let steps = log.why_op(&renamed.id());
    let ops: Vec<_> = steps.iter().map(|step| step.op).collect();
    assert_eq!(ops, [renamed.id(), promoted.id(), removed.id()]);
    assert_eq!(steps[1].subject, Some(carol().account()));
    assert!(steps[2].verdict.stands() && steps[2].rule().is_none());
    let text = steps[0].rule().unwrap().to_string();
    assert_eq!(text, "it rests on an op that is void itself");
    assert_eq!(log.why_op(&OpId([1; 32])), []);
}
