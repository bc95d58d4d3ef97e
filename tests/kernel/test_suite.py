"""The public kernel test suite, jupyter_kernel_test, on our kernel and on evcxr_jupyter as it is.

Whatever passes there must pass here. Run with `--table` it prints what docs/kernel.md shows.
"""

import os
import sys
import unittest

import jupyter_kernel_test
from notebook import copy_of_template, display, line, stock_environment

BLOCK = 'println!("EVCXR_BEGIN_CONTENT text/html\\n<b>1</b>\\nEVCXR_END_CONTENT"); println!("after");'


class Suite(jupyter_kernel_test.KernelTests):
    kernel_name = "rust-d2l"
    language_name = "Rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("test");'
    completion_samples = [{"text": "std::collections::HashM", "matches": {"HashMap"}}]
    complete_code_samples = ["1 + 1", "let a = 2;"]
    code_generate_error = 'panic!("on purpose")'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": '"a".repeat(3)', "result": '"aaa"'},
    ]
    code_display_data = [{"code": display("figure"), "mime": "text/plain"}, {"code": BLOCK, "mime": "text/html"}]
    code_inspect_sample = "std::vec::Vec::<u8>::new"
    code_clear_output = line("clear_output", wait=False)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The suite gives each cell 15 s; the first one waits for the kernel's start.
        cls.kc.execute_interactive("1", timeout=120, output_hook=lambda message: None)


class Stock(Suite):
    """evcxr_jupyter as it is."""

    @classmethod
    def setUpClass(cls):
        folder = copy_of_template()
        cls.addClassCleanup(folder.cleanup)
        variables = stock_environment(folder.name)
        os.environ.update(variables)
        try:
            super().setUpClass()
        finally:
            for name in variables:
                del os.environ[name]


def outcomes(case):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    bad = {test.id() if not hasattr(test, "test_case") else test.test_case.id(): text
           for test, text in result.failures + result.errors}
    skipped = {(test.test_case if hasattr(test, "test_case") else test).id() for test, _ in result.skipped}
    names = unittest.defaultTestLoader.getTestCaseNames(case)
    table = {}
    for name in names:
        id = f"{case.__module__}.{case.__qualname__}.{name}"
        table[name] = "failed" if id in bad else "skipped" if id in skipped else "passed"
    return table, bad


class Comparison(unittest.TestCase):
    def test_whatever_passes_on_evcxr_passes_here(self):
        (ours, reasons), (stock, _) = outcomes(Suite), outcomes(Stock)
        print(f"\n{'jupyter_kernel_test':<22} {'Rust (d2l)':<11} evcxr_jupyter", file=sys.stderr)
        for name, outcome in ours.items():
            print(f"{name:<22} {outcome:<11} {stock[name]}", file=sys.stderr)
        worse = [name for name in ours if stock[name] == "passed" and ours[name] != "passed"]
        self.assertEqual(worse, [], reasons)
        for name in ("test_error", "test_display_data", "test_clear_output"):
            self.assertEqual(ours[name], "passed", reasons)


def load_tests(loader, tests, pattern):
    return loader.loadTestsFromTestCase(Comparison)


if __name__ == "__main__":
    unittest.main()
