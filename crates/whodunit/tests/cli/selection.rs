//! Times, zones, and which incidents are asked for.

use super::*;

#[test]
fn a_year_comes_from_when_the_file_was_written() {
    let tree = tree(&[
        ("kern.log", &kill(1)),
        ("december", &kill(2).replace("Jan  2", "Dec 30")),
    ]);
    // 2021-01-03: 2 January is this year's, 30 December last year's.
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_609_632_000);
    for name in ["kern.log", "december"] {
        fs::File::options()
            .write(true)
            .open(tree.path().join(name))
            .unwrap()
            .set_modified(written)
            .unwrap();
    }
    let times = |arguments: &[&str]| -> Vec<String> {
        let mut all = arguments.to_vec();
        let paths = [path(&tree, "kern.log"), path(&tree, "december")];
        all.extend(paths.iter().map(String::as_str));
        let ran = run(&all);
        let assumption = ran.view.sources[0].time_assumption.clone().unwrap();
        let times = ran
            .view
            .seen
            .iter()
            .map(|incident| incident.time.unwrap().to_string());
        times.chain([assumption]).collect()
    };
    let found = times(&[]);
    assert_eq!(found[..2], ["2021-01-02T03:01:05Z", "2020-12-30T03:02:05Z"]);
    assert!(
        found[2].contains("2021-01-03") && found[2].contains("UTC"),
        "{}",
        found[2]
    );
    let found = times(&["--year", "2019", "--timezone", "+02:00"]);
    assert_eq!(found[..2], ["2019-01-02T01:01:05Z", "2019-12-30T01:02:05Z"]);
    assert!(
        found[2].contains("2019") && found[2].contains("+02"),
        "{}",
        found[2]
    );
}

#[test]
fn since_and_until_leave_out_what_has_no_time_and_say_so() {
    let bare = kill(7).split_once("kernel: ").unwrap().1.to_owned();
    let tree = tree(&[
        (
            "iso",
            &kill(1).replace("Jan  2 03:01:05", "2026-01-02T03:01:05+00:00"),
        ),
        ("bare", &bare),
    ]);
    let both = [path(&tree, "iso"), path(&tree, "bare")];
    let ran = run(&[
        "--since",
        "2026-01-01",
        "--timezone",
        "UTC",
        &both[0],
        &both[1],
    ]);
    assert_eq!(ran.out, "[1]\n");
    assert!(
        ran.view.warnings[0].contains("1 kill(s) have no wall-clock time"),
        "{:?}",
        ran.view.warnings
    );
    let ran = run(&["--until", "2026-01-02T03:01:05Z", &both[0]]);
    assert_eq!(ran.out, "");
    let ran = run(&["--since", "soon", &both[0]]);
    assert!(
        ran.status
            .unwrap_err()
            .to_string()
            .contains("--since: \"soon\" is no time")
    );
}

#[test]
fn moments_are_read_as_people_write_them() {
    let now: ZonedDateTime = "2026-03-31T14:00:00+02:00[+02:00]".parse().unwrap();
    for (text, expected) in [
        ("2026-01-31T14:00:00Z", "2026-01-31T14:00:00Z"),
        ("2026-01-31T14:00:00.5+01:00", "2026-01-31T13:00:00.5Z"),
        ("2026-01-31", "2026-01-30T22:00:00Z"),
        ("2026-01-31 14:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31 14:00:30", "2026-01-31T12:00:30Z"),
        ("13:30", "2026-03-31T11:30:00Z"),
        ("now", "2026-03-31T12:00:00Z"),
        ("today", "2026-03-30T22:00:00Z"),
        ("yesterday", "2026-03-29T22:00:00Z"),
        ("2h", "2026-03-31T10:00:00Z"),
        ("-30min", "2026-03-31T11:30:00Z"),
        ("1h30m", "2026-03-31T10:30:00Z"),
        ("90 seconds ago", "2026-03-31T11:58:30Z"),
        ("1 month", "2026-02-28T12:00:00Z"),
        ("@1767225600", "2026-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            moment(text, &now)
                .map(|moment| moment.to_string())
                .as_deref(),
            Ok(expected),
            "{text}"
        );
    }
    for text in ["", "soon", "2026-13-01", "@x", "25:00"] {
        assert!(
            moment(text, &now).unwrap_err().contains("is no time"),
            "{text}"
        );
    }
}

#[test]
fn zones_are_read() {
    for (text, seconds) in [
        ("UTC", 0),
        ("Z", 0),
        ("+02:00", 7200),
        ("-0330", -12600),
        ("+2", 7200),
        ("+5:30", 19800),
    ] {
        let zone = dating::zone(text).unwrap();
        assert_eq!(zone.to_fixed_offset().unwrap().seconds(), seconds, "{text}");
    }
    assert!(dating::zone("local").is_ok());
    for text in ["Europe/Atlantis", "+25:00", "+", "", "+aa:bb"] {
        assert!(dating::zone(text).is_err(), "{text}");
    }
}

#[test]
fn the_filter_judges_victims_and_their_homes() {
    let container = Container {
        id: Some("4d5a9c0e77".to_owned()),
        runtime: None,
        name: Some("web".to_owned()),
        image: None,
        is_pause: false,
        restart_count: None,
    };
    let pod = Pod {
        uid: Some("0b5e8a4c-77aa-4b0e-9e52-3d4d0a2d0b11".to_owned()),
        namespace: None,
        name: Some("Shop-7f".to_owned()),
        qos_class: None,
        owner: None,
    };
    let mut one = incident(
        OomReport::default(),
        &SourceInfo {
            kind: SourceKind::File,
            path: None,
            bytes: None,
            lines: None,
            time_assumption: None,
            error: None,
        },
    );
    let victim = |comm: &str| VictimInfo {
        comm: comm.into(),
        ..VictimInfo::default()
    };
    one.victims = vec![
        victim("java"),
        VictimInfo {
            container: Some(container),
            pod: Some(pod),
            ..victim("gunicorn: worke")
        },
    ];
    one.time = Some("2026-01-02T03:04:05Z".parse().unwrap());
    let at = |time: &str| Some(time.parse().unwrap());
    let word = |word: &str| Some(word.to_owned());
    let keep = [
        Filter::default(),
        Filter {
            comm: word("java"),
            ..Filter::default()
        },
        Filter {
            comm: word("gunicorn: worker [shop]"),
            ..Filter::default()
        },
        Filter {
            pod: word("0b5e8a4c-77aa-4b0e-9e52-3d4d0a2d0b11"),
            ..Filter::default()
        },
        Filter {
            pod: word("0B5E8A4C_77aa"),
            ..Filter::default()
        },
        Filter {
            pod: word("shop"),
            ..Filter::default()
        },
        Filter {
            container: word("4D5a"),
            ..Filter::default()
        },
        Filter {
            container: word("web"),
            ..Filter::default()
        },
        Filter {
            since: at("2026-01-02T03:04:05Z"),
            until: at("2026-01-02T03:04:06Z"),
            ..Filter::default()
        },
    ];
    for filter in keep {
        assert_eq!(filter.answer(&one), Answer::Keep, "{filter:?}");
    }
    let drop = [
        Filter {
            comm: word("jav"),
            ..Filter::default()
        },
        Filter {
            comm: word("javac"),
            ..Filter::default()
        },
        Filter {
            pod: word("other"),
            ..Filter::default()
        },
        Filter {
            container: word("5a9c"),
            ..Filter::default()
        },
        Filter {
            container: word("we"),
            ..Filter::default()
        },
        Filter {
            since: at("2026-01-02T03:04:06Z"),
            ..Filter::default()
        },
        Filter {
            until: at("2026-01-02T03:04:05Z"),
            ..Filter::default()
        },
        Filter {
            comm: word("java"),
            pod: word("other"),
            ..Filter::default()
        },
    ];
    for filter in drop {
        assert_eq!(filter.answer(&one), Answer::Drop, "{filter:?}");
    }
    one.time = None;
    let since = Filter {
        since: at("2026-01-02T03:04:05Z"),
        ..Filter::default()
    };
    assert_eq!(since.answer(&one), Answer::TimeUnknown);
    assert_eq!(
        Filter {
            comm: word("x"),
            ..since
        }
        .answer(&one),
        Answer::Drop
    );
}
