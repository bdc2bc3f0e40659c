"""Builds the C library of this checkout by make and puts it into the package."""
import os
import pathlib
import shutil
import subprocess

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


class BuildLibrary(build_py):
    def run(self):
        super().run()
        stage = pathlib.Path(self.build_lib).resolve() / "stage"
        # Relative paths, because those of a checkout may hold blanks, which make cannot handle.
        makefile, build = "Sources/HourglassKernels/library/Makefile", os.path.relpath(stage / "build", CHECKOUT)
        command = ["make", "-f", makefile, "install", f"BUILD={build}", f"PREFIX={stage}"]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        shutil.copy(stage / "lib/libhourglass_kernels.so.1", pathlib.Path(self.build_lib) / "hourglass_kernels")
        shutil.rmtree(stage)


class Binary(Distribution):
    """For one platform, because of the library inside."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildLibrary}, distclass=Binary)
