import AsyncHTTPClient
import Crypto
enum Stub {}
