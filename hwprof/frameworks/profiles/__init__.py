"""The time of a framework's steps (`hwprof layers`), as far as its adapter has a method `profile`.

Others use `lookup` (`has_profile`, `profile_of`). Readers of profiles, in `frameworks/NAME/profile.py` and in packages
of other authors, use `timed.Timed`, which times steps called one by one, and `proxy.ModelProxy`.
"""
