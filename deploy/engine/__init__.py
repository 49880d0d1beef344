"""
A Docker engine for tests, with images to build on, where neither is to be had.

Standard library only, like `deploy.stack`. An engine that answers is used as it is. Where there is
none, one is started that nobody else sees: its data in a folder of ours, its processes in a
namespace that ends with us, its network rules taken back. Images come from their registry; where
that is out of reach they are made from Debian's packages.
"""
