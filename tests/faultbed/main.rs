//! The fault bed: everything that goes wrong, and what the product does then, row by row.
//!
//! A row names the black-box tests that show it. It runs in a process of its own, with everything
//! logged at TRACE, and fails with its tests, but also when something panicked, when a secret is in
//! the log, or when file handles stay open. Every black-box test runs exactly once: what belongs to
//! no row comes after the table, by module.
//!
//! Words on the command line choose the rows that contain one of them.

mod programs;
mod rows;
mod trial;

use std::{
    collections::{BTreeMap, HashSet},
    env,
    fmt::Write as _,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use programs::Programs;
use rows::{Row, TABLE};
use trial::Trial;

fn main() -> ExitCode {
    let words: Vec<_> = env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let started = Instant::now();
    let programs = Programs::build();
    let mut rows = match all_rows(&programs.tests()) {
        Ok(rows) => rows,
        Err(mistakes) => {
            println!("the fault bed's table does not fit the black-box tests:\n{mistakes}");
            return ExitCode::FAILURE;
        }
    };
    rows.retain(|row| {
        words.is_empty() || words.iter().any(|word| row.fault.contains(word.as_str()))
    });

    let trials = run(&programs, &rows);
    let mut section = "";
    for (row, trial) in rows.iter().zip(&trials) {
        if section != row.section {
            section = row.section;
            println!(
                "\n{section}\n{:>9} {:>7} {:>7}  row",
                "result", "tries", "time"
            );
        }
        let result = if trial.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        let seconds = trial.took.as_secs_f32();
        println!(
            "{result:>9} {:>7} {seconds:>6.1}s  {}",
            trial.tries, row.fault
        );
    }
    for (row, trial) in rows.iter().zip(&trials) {
        for failure in &trial.failures {
            println!("\n---- {} ----\n{failure}", row.fault);
        }
    }
    let failed = trials
        .iter()
        .filter(|trial| !trial.failures.is_empty())
        .count();
    println!(
        "\nfault bed: {} rows, {} tries, {:.0} s\n{} passed, {failed} failed",
        rows.len(),
        trials.iter().map(|trial| trial.tries).sum::<usize>(),
        started.elapsed().as_secs_f32(),
        rows.len() - failed,
    );
    if failed == 0 && !rows.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The rows of the table, and one for each module's tests that are in none of them.
fn all_rows(tests: &[String]) -> Result<Vec<Row>, String> {
    let mut mistakes = String::new();
    let mut in_a_row = HashSet::new();
    let mut rows = Vec::new();
    for (section, faults) in TABLE {
        for (fault, names) in *faults {
            for name in *names {
                if !tests.iter().any(|test| test == name) {
                    let _ = writeln!(mistakes, "no test {name}");
                }
                if !in_a_row.insert((*name).to_owned()) {
                    let _ = writeln!(mistakes, "{name} is in two rows");
                }
            }
            rows.push(Row {
                section,
                fault: (*fault).to_owned(),
                tests: names.iter().map(|name| (*name).to_owned()).collect(),
            });
        }
    }
    for test in tests {
        if in_a_row.contains(test) || test.ends_with(trial::LAST) {
            continue;
        }
        let module = test.rsplit_once("::").map_or("", |(module, _)| module);
        let module = module.replace("::", ": ").replace('_', " ");
        match rows.last_mut() {
            Some(row) if row.fault == module => row.tests.push(test.clone()),
            _ => rows.push(Row {
                section: "Beside the table",
                fault: module,
                tests: vec![test.clone()],
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(rows)
    } else {
        Err(mistakes)
    }
}

/// Runs rows side by side: much of their time is spent in waiting.
fn run(programs: &Programs, rows: &[Row]) -> Vec<Trial> {
    let next = AtomicUsize::new(0);
    let trials = Mutex::new(BTreeMap::new());
    let cores = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..2 * cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = rows.get(index) else { break };
                    let trial = Trial::of(programs, row);
                    trials
                        .lock()
                        .expect("nobody panics with it")
                        .insert(index, trial);
                }
            });
        }
    });
    let trials = trials.into_inner().expect("nobody panicked with it");
    trials.into_values().collect()
}
