import os

for path in ("/etc/owned", "/root/owned", "/usr/owned"):
    try:
        open(path, "w").write("x")
        print("wrote", path)
    except OSError as error:
        print(path, type(error).__name__)
print("uid", os.getuid() != 0)
