"""Builds the C library of this checkout by make and puts it into the package."""
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
        makefile = CHECKOUT / "Sources/HourglassKernels/library/Makefile"
        subprocess.run(["make", "-f", makefile, "install", f"BUILD={stage}/build", f"PREFIX={stage}"], check=True)
        shutil.copy(stage / "lib/libhourglass_kernels.so.1", pathlib.Path(self.build_lib) / "hourglass_kernels")
        shutil.rmtree(stage)


class Binary(Distribution):
    """For one platform, because of the library inside."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildLibrary}, distclass=Binary)
