data = {"apples": 3}
print(data["pears"])
