"""Bearer tokens for tests, and the public key that proves them. The private keys were thrown away; none expires."""

from typing import Final

from delivery.model.policy import Jwt

_MODULUS = (
    "wW0E--oE0TFg_KNuFqN_Rv_9ukfekCqduzHqaI0YTYPMvuNjHlJ3LoZduE9C7tkRcmjbjTNjBPdWf-KO9JS2DFCUOMmZXmOrYSAi"
    "F-"
    "6RMgkTzBou7n3ES4JOfx0uaLyiBB776pDn38rIjBmuago9wU7x1EhxKhoZSRvOWH1nQ1vmDgn1rBLSWwkzukbLOk47VKDJTQYjsq"
    "3OdSYFyk8oX29M51J414P-sOi3bGz1nMAkTcdWD1J0yiHqRghPPirdcmfnFQcqaHMoEil2F-rU67J43Lz-"
    "q0rVPc2bKlenB9wbzJYuz56-7C-wt_niKGhCwAR9wIpUm9nNpKI366mSMw"
)
JWT: Final = Jwt(
    "https://id.example.org",
    f'{{"keys":[{{"alg":"RS256","e":"AQAB","kid":"1","kty":"RSA","n":"{_MODULUS}","use":"sig"}}]}}',
    ("checkout",),
)
GOOD = (
    "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogIjEifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlLm9yZyIsICJhdWQiOiAiY2hlY"
    "2tvdXQifQ.M1yBxnLnom9F6j7KkHNavO5V5o9FijEx_ikugfFNL25DAF-s9OMNN4wjdC9CN_CSl9o_-"
    "Dk1UfQNQaVSAi355vRTb8fSB2ArpdnTeNQPBA1gZs5zYIF4aY_B121elk77z9SmImTyF99yAdTn6TvtZGlh-DALzCGVhyW9Omeug"
    "uvREHRsKNRHa3O_HOMdZ0-nP_jXXFD3VzAN3U4JIKzLJMPB02ufeh2_Z1p1uOBXwufV0Ufkrnkcv7WwSOWOMi8EPzlL47kL1-"
    "V1zktIeM63zD3exoMEt9Lzo58ACzK-wQeM-vcqxPvgEvwowBD8tvmyXbvdrSmpQPjhrdRmpA9bRQ"
)
OTHER_ISSUER = (
    "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogIjEifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlLm5ldCIsICJhdWQiOiAiY2hlY"
    "2tvdXQifQ.OAN6nZQQ7xsdxkoxi0kfYRv-uNVy8PTWX-"
    "MOrJvcdTgPeKkeRGidZBanFaf47x41Fb6qrStNU_3AI7R3kxL1U9TzWqWmEW7XnU9a0cvVh4Rb-uRsqWM0BmBTi8hLrzF2pnMh2r"
    "9U32UcsAojbA2iJknjtOf0gzgxCxCurCDedchkpXVRvQEjfBmGfPEGQVy51R2XLCxuO1-h-"
    "MrKN9H8wk0tCKPaAcA_I8lLGaoQLoGe65CffbhvQ81pIqALQzVk2pcQItUuQzkpZ1Yx8LPUsXDqcrLs0H0Bq9jOP3AiEyYAFgMZM"
    "lzGIEUWdexeHFz2HbVwhNi39tXv70RzpyicVQ"
)
OTHER_AUDIENCE = (
    "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogIjEifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlLm9yZyIsICJhdWQiOiAiYmlsb"
    "GluZyJ9.Rerl7GMDTVcCmf9F_Mi5uDalj_GS2Bt15KYPeCAzZv0XXOgxRzEoKInNe5JmvsN29xfPmdmEL3qLZZftM2fCoJ7ugdao"
    "k0qD8MjbK3lRnhtHDx-L-"
    "M1ozHzDHyjfB4yzCwDj5qnm3jwy6S9f7Kf8j7sLkKGuwwUMhTaRDiNmaifECR4viWfsvYMbuIL63YjBqKeAj8LdoV-"
    "x8SoQ6_tML4PSccQ7qMdqHFzSXPEDJlAf_fldFhdkiLwflXSheynuSHo1oABQ1qKt6N0YDmuf8fG5L4gRJEfs7xQUL7KMrGaGDnN"
    "t67kYFPoJunoRlqNJkPWQa-sbtalAgsSJJbxhPg"
)
FORGED = (
    "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogIjEifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlLm9yZyIsICJhdWQiOiAiY2hlY"
    "2tvdXQifQ.BWb0-vS-mSyG1Bm-gaRN8G8UtIoLl5qxdkRVSkhOVZXnGCK1adOlBrIkvFfn_pWDOiH_T5Yh3t902m0IWV4T-"
    "_s1rV8FZ2M0DKgHXvoQCDNv2j9-wGPyoV8Vc5AK73K4oiJ-XP_XK_-oKroW_kBeWd5D-Ek1NDfrjpBss-"
    "MmR8wOKJduDYMoOj6_hoGoDUVVObymycQ7dtjFnyGkldVGKVSrK_gcWcjW9PBlLn-JSAX3wfDiiBHOXv5h-dQkkVKxs-"
    "8ZyDAOicn587QDQRALcg7Uv7URZsEjcOrqIdvVY3ZH9UJxl3gDrytU5KwOR4-iD6YR5pIlrCgd0bMzTTjUVg"
)
