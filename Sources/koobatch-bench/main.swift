import Subprocess
print(1)
