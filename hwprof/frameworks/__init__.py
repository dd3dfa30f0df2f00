"""What runs networks: one folder per framework, and beside them what all share.

A framework's folder has an `adapter`, and where it needs them a `profile` and a conversion; `from
hwprof.frameworks.NAME import ADAPTER`, or rather `plugins.adapter(NAME)`: nothing outside the folder names it. Shared
are the protocol, what adapters declare (conversions, switches, debian, profiles), and how outputs are judged.
"""
