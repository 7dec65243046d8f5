"""Reports of the sanitizers, from every process of a test, in one folder. Without a sanitizer in the
program the settings mean nothing and no report comes."""

from pathlib import Path

SUPPRESSIONS = Path(__file__).resolve().parents[2] / "sanitizers"

# What a process with a finding ends with; none of ours uses it.
EXIT_CODE = 86


def environment(folder):
    """Settings for all programs. The folder takes a file report.PID for each process that found something."""
    common = f"log_path={folder}/report:exitcode={EXIT_CODE}:print_suppressions=0"
    return {
        "ASAN_OPTIONS": f"{common}:detect_leaks=1:detect_stack_use_after_return=1",
        "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS}/lsan.supp:print_suppressions=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Goes on after a finding, which is in the exit code all the same: one run tells them all.
        "TSAN_OPTIONS": f"{common}:halt_on_error=0:second_deadlock_stack=1:"
        f"suppressions={SUPPRESSIONS}/tsan.supp",
    }


def reports(folder):
    return {path.name: path.read_text(errors="replace") for path in sorted(Path(folder).glob("report.*"))}


def assert_none(folder, seen):
    """No report that is not in `seen` yet; it is afterwards."""
    found = {name: text for name, text in reports(folder).items() if name not in seen}
    seen.update(found)
    assert not found, "\n".join(f"== {name}\n{text[:5000]}" for name, text in found.items())
