//! Which attributes there may be.

use super::registry;
use crate::search::attribute::{BUILTIN, DECLARED_MAX, DeclareError, NAME_LEN_MAX};
use crate::search::{Declaration, Registry, Type};

#[test]
fn built_in_attributes_have_their_codes_for_ever() {
    let shown: Vec<_> = BUILTIN
        .iter()
        .map(|one| {
            let a = one.attribute();
            assert_eq!(Registry::default().find(a.name()), Some(&a));
            assert_eq!(Registry::default().at(a.id()), Some(&a));
            assert_eq!(a.is_indexed(), !a.is_computed());
            format!("{} {} {:?}", *one as u8, a.name(), a.kind())
        })
        .collect();
    let expected = [
        "0 PlayerId Keyword",
        "1 DisplayName Keyword",
        "2 PlayerStatus Keyword",
        "3 CurrentRoom Keyword",
        "4 PlayerLevel Integer",
        "5 Score Integer",
        "6 Gold Integer",
        "7 StartTime Time",
        "8 LastCommandTime Time",
        "9 SessionDuration Duration",
        "10 IdleTime Duration",
        "11 Node Keyword",
        "12 TotalActions Integer",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_game_declares_its_own() {
    let registry = registry();
    let guild = registry.find("GUILD").unwrap();
    assert_eq!((guild.name(), guild.kind(), guild.is_indexed()), ("Guild", Type::Keyword, true));
    assert!(registry.find("WinAge").unwrap().is_computed());
    assert!(!registry.find("Steps").unwrap().is_indexed());
    assert_eq!(registry.iter().count(), BUILTIN.len() + 5);
}

#[test]
fn names_are_checked() {
    let declare = |name: &str| {
        let declaration = Declaration::stored(name, Type::Integer);
        registry().declare(declaration).unwrap_err().to_string()
    };
    let long = "x".repeat(NAME_LEN_MAX + 1);
    for bad in ["", "1st", "_x", "a b", "größe", "a-b", &long] {
        assert!(declare(bad).contains("no name for an attribute"), "{bad}");
    }
    assert_eq!(declare("order"), "an attribute can't be called order: queries use that word");
    assert_eq!(declare("playerID"), "there is an attribute PlayerId already");
    assert_eq!(declare("guild"), "there is an attribute Guild already");
}

#[test]
fn a_time_since_counts_from_a_stored_time() {
    for of in ["Nothing", "Score", "IdleTime"] {
        let error = registry().declare(Declaration::since("Age", of)).unwrap_err();
        assert_eq!(error, DeclareError::NoTime { name: "Age".into(), of: of.into() });
    }
}

#[test]
fn there_is_an_end_to_it() {
    let mut registry = Registry::default();
    let mut declare =
        |n: usize| registry.declare(Declaration::stored(&format!("a{n}"), Type::Bool)).map(|_| ());
    assert!((0..DECLARED_MAX).all(|n| declare(n).is_ok()));
    assert_eq!(declare(DECLARED_MAX), Err(DeclareError::TooMany));
}
