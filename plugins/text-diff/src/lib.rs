//! `text.diff`: which lines two texts differ in.

#[path = "../../sdk-rust/lib.rs"]
mod exoarmur;
mod lines;
mod myers;
mod unified;

use exoarmur::{executor, object, Outcome, Parameters};

executor! { diff }

/// {before, after, context?, beforeName?, afterName?} -> {added, equal, hunks, minimal, removed, unified}
fn diff(parameters: &mut Parameters) -> Outcome {
    let before = parameters.text("before")?;
    let after = parameters.text("after")?;
    let context = parameters.optional_integer("context")?.unwrap_or(3);
    let before_name = parameters.optional_text("beforeName")?.unwrap_or_else(|| "before".into());
    let after_name = parameters.optional_text("afterName")?.unwrap_or_else(|| "after".into());
    parameters.finish()?;
    if !(0..=1000).contains(&context) {
        return Err("parameter \"context\" must be from 0 to 1000".into());
    }
    for (parameter, name) in [("beforeName", &before_name), ("afterName", &after_name)] {
        if name.contains(|c: char| c.is_control()) {
            return Err(format!("parameter \"{parameter}\" must not hold control characters").into());
        }
    }

    let (before, after) = (lines::split(&before), lines::split(&after));
    let changes = myers::compare(&lines::number(&before, &after));
    let (hunks, unified) = unified::write(&before, &after, &changes, context as usize, &before_name, &after_name);
    let removed = changes.removed.iter().filter(|removed| **removed).count();
    let added = changes.added.iter().filter(|added| **added).count();
    Ok(object([
        ("added", added.into()),
        ("equal", (added + removed == 0).into()),
        ("hunks", hunks.into()),
        ("minimal", changes.minimal.into()),
        ("removed", removed.into()),
        ("unified", unified.into()),
    ]))
}
