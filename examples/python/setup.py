"""Builds the C library by make and puts it into the package: from this checkout, or from the sources that a source
distribution brings along."""
import os
import pathlib
import shutil
import subprocess

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
KERNELS = pathlib.Path("Sources/HourglassKernels")
CHECKOUT = HERE if (HERE / KERNELS).exists() else HERE.parents[1]


class SourcesToo(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        shutil.copytree(CHECKOUT / KERNELS, base_dir / KERNELS, dirs_exist_ok=True)


class BuildLibrary(build_py):
    def run(self):
        super().run()
        stage = pathlib.Path(self.build_lib).resolve() / "stage"
        # Relative paths, because those of a checkout may hold blanks, which make cannot handle.
        makefile, build = "Sources/HourglassKernels/library/Makefile", os.path.relpath(stage / "build", CHECKOUT)
        command = ["make", "-f", makefile, "install", f"BUILD={build}", f"PREFIX={stage}"]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        shutil.copy(stage / "lib/libhourglass_kernels.so.2", pathlib.Path(self.build_lib) / "hourglass_kernels")
        shutil.rmtree(stage)


class Binary(Distribution):
    """For one platform, because of the library inside."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildLibrary, "sdist": SourcesToo}, distclass=Binary)
