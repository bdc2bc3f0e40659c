"""The wheel: the package with the library that Scripts/build-wheel has put into it, for any Python of one platform."""
import os

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel


class Wheel(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", os.environ["HOURGLASS_WHEEL_PLATFORM"]


class Binary(Distribution):
    def has_ext_modules(self):
        return True


setup(version=os.environ.get("HOURGLASS_WHEEL_VERSION", "0"), cmdclass={"bdist_wheel": Wheel}, distclass=Binary)
