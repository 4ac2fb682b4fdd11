"""What travels to another process arrives as it was here."""

import pickle
import random
import subprocess
import sys
from random import random as draw

from statelab.pickling import packed


def drawn():
    return draw()


READ = "import pickle, sys; print(pickle.load(sys.stdin.buffer)())"


def in_another_process(parcel):
    return subprocess.run(
        [sys.executable, "-c", READ], input=parcel, capture_output=True, check=True
    ).stdout


def test_the_global_generator_of_another_process_is_its_own():
    random.seed(7)
    parcel = packed(drawn, [drawn])
    assert in_another_process(parcel) != in_another_process(parcel)


def test_code_of_a_module_that_is_not_installed_goes_by_value():
    parcel = packed(drawn, [drawn])
    assert b"drawn" in parcel
    assert 0 <= float(in_another_process(parcel)) < 1
    assert pickle.loads(packed(len, [len])) is len


def test_code_keeps_its_file_whatever_cloudpickle_does_so_that_a_line_of_it_can_be_named():
    def one():
        return 1

    copy = pickle.loads(packed(one, [one]))
    assert copy() == 1
    assert copy.__code__.co_filename == one.__code__.co_filename
