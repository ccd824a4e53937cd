"""Print what setup.cfg asks pip for, a requirement a line: the programs' and the tests'."""

import configparser

setup = configparser.ConfigParser()
setup.read("setup.cfg")
print(setup["options"]["install_requires"].strip())
print(setup["options.extras_require"]["test"].strip())
