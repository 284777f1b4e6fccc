"""Public vectors of the Ed25519 and sr25519 schemes, typed in with their sources.

Each: scheme, chain, address, text, signature, key, and what the source says of domain, time or
nonce, which becomes the wallet's answer in the signature column. Source: owner/repository:path.
"""

from chains.model import AssetId, ChainId, ChainSpec


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


SPECS = {
    name: chain(name)
    for name in ("solana", "sui", "aptos", "ton", "stellar", "cardano", "near", "algorand")
} | {"substrate": chain("ss58", prefix=[2, 5, 27, 73, 74, 172])}

VECTORS = [
    # okx/proof-of-reserves:common/crypto_test.go@2962a89
    (
        "okx-ed25519",
        "stellar",
        "GDMA3OUZHWTQ4RZBYEXR4VEZ7YGQNXOAMRSYRHDM5GSXH3UZQF5VGPXN",
        "OKC_DTT_AUP2025",
        (
            "0x71e6adb98dce49b523594f3bc0f96ab7eda84c00ef3ddc7e1eff8d18c5dd537ae409"
            "f6cc7c0f9d2f98d2bcfeb2885c5f3856bdf867ee9b68a5e16c12be7be50d"
        ),
        "0xd80dba993da70e4721c12f1e5499fe0d06ddc06465889c6ce9a573ee99817b53",
        {},
    ),
    # okx/proof-of-reserves:common/crypto_test.go@2962a89
    (
        "okx-ed25519",
        "cardano",
        "addr1vykqe7mmq83jsfxu0relg46vasd5d4gr4yg5pchg5v8tuvck0jkfn",
        "OKC_DTT_AUP2025",
        (
            "0xefb9a223ad794dac0a791caa29909603cca6c780a0e184c69e1a13a9a4c1c0b60ae8"
            "3671de4178ab7ba83131bda9210d84ffe2a4556d1891add02fdcd7181a06"
        ),
        "0x7afe9bac605a184fe32d9dfb582b9d837841f5ff99916b73dd3f705d19bbba50",
        {},
    ),
    # okx/proof-of-reserves:common/crypto_test.go@2962a89
    (
        "okx-ed25519",
        "near",
        "b1e2af21d50c8940aaebe9650bd3e09eb49f3945c6ec2d917de0d64cdfaf3fba",
        "OKC_DTT_AUP2025",
        (
            "0x0583df7d07e242e1240a97b6322bfa1df7203a09d10e8a219442ebb17064ae978024"
            "df47a58551f61afd9b10774688c0c217aa319eddeb9285b252006edb3c07"
        ),
        "0xb1e2af21d50c8940aaebe9650bd3e09eb49f3945c6ec2d917de0d64cdfaf3fba",
        {},
    ),
    # huobiapi/Tool-Node.js-VerifyAddress:snapshot/huobi_por*.csv (git history)
    (
        "ed25519-raw",
        "algorand",
        "J4AEINCSSLDA7LNBNWM4ZXFCTLTOZT5LG3F5BLMFPJYGFWVCMU37EZI2AM",
        "6DcZbFpug1664269042",
        (
            "OY7V51jNiq7YD7tvI3oazWlERi0uOt5eBopQRkUaFAmUcrBL45jrBBEwdE1Xtr8j7f1ij4"
            "Eziqwa7RBNXm16Cg=="
        ),
        "",
        {},
    ),
    # paulmillr/micro-sol-signer:test/offchain.test.ts
    (
        "sol-offchain-v0",
        "solana",
        "2q7pyhPwAwZ3QMfZrnAbDhnh9mDUqycszcpf86VgQxhF",
        "Hello, World!",
        (
            "4fkQYPZCu9HktkMcA4bXwEMo9Awm6cHLJQdBCQjQMQLPZQvHQPS9hAPXPCL76fhV6CQQR5"
            "kHPG8P1qoGp1JBUgRg"
        ),
        "",
        {},
    ),
    # paulmillr/micro-sol-signer:test/offchain.test.ts
    (
        "sol-offchain-v0",
        "solana",
        "2q7pyhPwAwZ3QMfZrnAbDhnh9mDUqycszcpf86VgQxhF",
        "lol",
        (
            "4gLGi4Kb63tk1TDgbPkCvQjUbQYTyW4Eiv9Fw1krmXJnEqJ3k6Q16MQyuhYfpm6jnxdRZu"
            "ySBJovEqnyXADvBvz3"
        ),
        "",
        {},
    ),
    # trustwallet/wallet-core:tests/chains/Sui/MessageSignerTests.cpp
    (
        "sui-personal-message",
        "sui",
        "0xebab9e10ff74ae4ccba30b0bd0bcf2e402e3c972016b05895f7f87b3e31b350f",
        "Hello world",
        (
            "ABUNBl59ILPhyGpdgWpXJIQtEIMidR27As1771Hn7j9wVR/5IetQslRPMBrUC2THM+yGHw"
            "7h2N/Mr/0DMOpXLQ7ubWGon8j5kJWFqZa7DSsqxpriO1rPOaGfMmMSOboG+Q=="
        ),
        "ee6d61a89fc8f9909585a996bb0d2b2ac69ae23b5acf39a19f32631239ba06f9",
        {},
    ),
    # okx/go-wallet-sdk:coins/sui/sui_test.go
    (
        "sui-personal-message",
        "sui",
        "0x19a8a5cadebbe8f73364cb1ce4d9aa2d0ffb62a3098c7ff93bd0426960f56406",
        "im from okx",
        (
            "AHhQeP0IE0F0fXfrbUSIEZPD974IR9Yx6DKBjPC5dP9kKYK9LwSg2EQyIvn/+iN3KEzipB"
            "yemwM0Dq/F786tEwmXPl+82/o6Rt93H1ojjfMbkpJDm+Rnx1AAjN7Nvi7fnQ=="
        ),
        "973e5fbcdbfa3a46df771f5a238df31b9292439be467c750008cdecdbe2edf9d",
        {},
    ),
    # okx/go-wallet-sdk:coins/aptos/aptos_test.go
    (
        "aptos-full-message",
        "aptos",
        "0xcb95e54bf4baa46bfc6748ef979edca6199a923df3d0757d896a7dc93514a19b",
        (
            "APTOS\naddress: 0xcb95e54bf4baa46bfc6748ef979edca6199a923df3d0757d896a7"
            "dc93514a19b\napplication: dapp\nchainId: 1\nmessage: Welcome to dApp!\nnon"
            "ce: 9999"
        ),
        (
            "0xf731756c76517cbf91e41a5f2a05ea99de22ef3959993ee65a6da7ac8a59542cfe5f"
            "b90798d5f08f6a51bb056420d5ee0e37fa0d05b7e0ffc8cd51265a757104"
        ),
        "0x64dfb3f1af9a00af3fa1c182c12e6feb08490d5a562d91f78d67d0a9727f969e",
        {},
    ),
    # okx/go-wallet-sdk:coins/ton/connect_test.go
    (
        "ton-proof-v2",
        "ton",
        "EQA3_JIJKDC0qauDUEQe2KjQj1iLwQRtrEREzmfDxbCKw9Kr",
        "123",
        (
            "tkrepSlC/7RMdGmtqNQ/OKRkxtdzvwF6GYBP6sgKWI/9mP0KcqyUwpFHAEGF6xeNOrwwox"
            "Ice8KJuEHLxuIgDw=="
        ),
        "484bbda1d1ab3e89b83b423685a9d4cbe7a28b8b96bbbee51d0553b47e4db42f",
        {"domain": "ton.org.com", "timestamp": 1719309177},
    ),
    # bizjs/chainkit:packages/tvm/tests/tvm-chain.test.ts
    (
        "ton-safe-sign-magic",
        "ton",
        "EQBvuTREOWQ6mamUs1c-PVuV27JEvMPYQB91o8UoHqAiCr79",
        "Welcome to EthSign",
        (
            "5ea32f89124362f44f766777e4181f3ad00c277615c0b606609aeb484d300c805a253b"
            "a32808959d1c47afeae1c1df4b6abf76b0b0188271957dba0ea94c1705"
        ),
        "f87bcf992f0a4a106a07226e0178148fcc5dff4b68d1829453c50a7f209c0e87",
        {},
    ),
    # near/intents:crates/signatures/ton-connect/src/lib.rs
    (
        "ton-connect-sign-data-binary",
        "ton",
        "0:f4809e5ffac9dc42a6b1d94c5e74ad5fd86378de675c805f2274d0055cbc9378",
        "Hello, TON!",
        (
            "9cf4c1c16b47afce46940eb9cd410894f31544b74206c2254bb1651f9b32cf5b0e482b"
            "78a2e8251e54d3517fae4b06c6f23546667d63ff62dccce70451698d01"
        ),
        "22e795a07e832fc9084ca35a488a711f1dbedef637d4e886a6997d93ee2c2e37",
        {"domain": "ton-connect.github.io", "timestamp": 1747760435},
    ),
    # polkadot-js/common:packages/util-crypto/src/signature/verify.spec.ts
    (
        "substrate-sr25519",
        "substrate",
        "EK1bFgKm2FsghcttHT7TB7rNyXApFgs9fCbijMGQNyFGBQm",
        "hello world",
        (
            "0xca01419b5a17219f7b78335658cab3b126db523a5df7be4bfc2bef76c2eb3b1dcf4c"
            "a86eb877d0a6cf6df12db5995c51d13b00e005d053b892bd09c594434288"
        ),
        "",
        {},
    ),
    # polkadot-js/common:packages/util-crypto/src/signature/verify.spec.ts
    (
        "substrate-sr25519",
        "substrate",
        "J9nD3s7zssCX7bion1xctAF6xcVexcpy2uwy4jTm9JL8yuK",
        "hello world",
        (
            "0x84b6afb1c8e54bbcb3f4872baf172580e21310e9387a53742627d6652d121447fa40"
            "6b82805ed3184fb7bd519175cc9f99f283f97954d95cf966ee164df85489"
        ),
        "",
        {},
    ),
    # stellar/stellar-protocol:ecosystem/sep-0053.md
    (
        "sep53",
        "stellar",
        "GBXFXNDLV4LSWA4VB7YIL5GBD7BVNR22SGBTDKMO2SBZZHDXSKZYCP7L",
        "こんにちは、世界！",  # noqa: RUF001
        (
            "CDU265Xs8y3OWbB/56H9jPgUss5G9A0qFuTqH2zs2YDgTm+++dIfmAEceFqB7bhfN3am59"
            "lCtDXrCtwH2k1GBA=="
        ),
        "",
        {},
    ),
    # near/intents:crates/signatures/nep413/src/lib.rs
    (
        "nep413",
        "near",
        "e2e9cb7ac57cb46d4da1ce1d1cc2c33bdfe17407c517916b522724a8ea2c6c50",
        "Hello, world!",
        (
            "e2ff6254871a3fec1853c167b42f0f14248c4cf7fef5452dc24d8dbdc5c4bf183ab707"
            "322b4d782d5f5a05571bae476c5f7ee41c473f3002e600865e46b75d0f"
        ),
        "e2e9cb7ac57cb46d4da1ce1d1cc2c33bdfe17407c517916b522724a8ea2c6c50",
        {
            "nonce": "0000000000000000000000000000000000000000000000000000000000000000",
            "recipient": "intents.near",
        },
    ),
    # cardano-foundation/cardano-verify-datasignature:index.test.ts
    (
        "cip8",
        "cardano",
        "stake1uyvfslqkzgrf6syq5r4jg7pqewv8l65phh024lw5r7vk9qgznhyty",
        "Augusta Ada King, Countess of Lovelace",
        (
            "84582aa201276761646472657373581de118987c1612069d4080a0eb247820cb987fea"
            "81bddeaafdd41f996281a166686173686564f458264175677573746120416461204b69"
            "6e672c20436f756e74657373206f66204c6f76656c61636558401712458b19f606b322"
            "982f6290c78529a235b56c0f1cec4f24b12a8660b40cd37f4c5440a465754089c462ed"
            "4b0d613bffaee3d1833516569fda4852f42a4a0f"
        ),
        ("a4010103272006215820b89526fd6bf4ba737c55ea90670d16a27f8de6cc1982349b3b676705a2f420c6"),
        {},
    ),
    # cardano-foundation/cardano-verify-datasignature:index.test.ts
    (
        "cip8",
        "cardano",
        (
            "addr1qxtu4w2rq2mdguw4fkms2ge4m070nq8cmlyjfhghwlh8sjscnp7pvysxn4qgpg8ty"
            "3uzpjuc0l4gr0w74t7ag8uev2qseuyw6u"
        ),
        "Hello World",
        (
            "845846a20127676164647265737358390197cab94302b6d471d54db7052335dbfcf980"
            "f8dfc924dd1777ee784a18987c1612069d4080a0eb247820cb987fea81bddeaafdd41f"
            "996281a166686173686564f44b48656c6c6f20576f726c645840b65cb33e107a692605"
            "a479811a8405e44eeac5217c6ef92b79c221c2309305ec2db927fb75a7d197602e1eb2"
            "e663dae227aa7c0510b6484f5591b2b4bd47b70d"
        ),
        ("a4010103272006215820472be3f30b51ead6d020e0d370774861e242ca23eaca2f4eff4ddb8eaa3abefd"),
        {},
    ),
    # cardano-foundation/cardano-verify-datasignature:index.test.ts
    (
        "cip8",
        "cardano",
        "addr1v9ux8dwy800s5pnq327g9uzh8f2fw98ldytxqaxumh3e8kqumfr6d",
        "Hello world",
        (
            "84582aa201276761646472657373581d617863b5c43bdf0a06608abc82f0573a549714"
            "ff69166074dcdde393d8a166686173686564f44b48656c6c6f20776f726c645840fc58"
            "155f0cee05bc00e7299af1df1f159ac82a46a055786b259657934eff346eec81349d46"
            "78ceabc79f213c66a2bdbfd4ea5d9ebdc630bee5ac9cce75cfc001"
        ),
        ("a4010103272006215820755b017578b701dc9ddd4eaee67015b4ca8baf66293b7b1d204df426c0ceccb9"),
        {},
    ),
    # okx/go-wallet-sdk:coins/cardano/message_test.go
    (
        "cip8",
        "cardano",
        (
            "addr1q8nrdx6sukqwatkv7x8y0csl0x2l0rek9cmc04n5z35anxphyemygs8dxvfe432u6"
            "xcrt89d968u478w6s0cu8x7thrsng2ztx"
        ),
        "\x124",
        (
            "845846a201276761646472657373583901e6369b50e580eeaeccf18e47e21f7995f78f"
            "362e3787d6741469d9983726764440ed33139ac55cd1b0359cad2e8fcaf8eed41f8e1c"
            "de5dc7a166686173686564f442123458409b2ae77d56f197dd1e2e6f3fbf6084d842d8"
            "77b2a1a069afb20756e7b537fec79bfca6e2e2246b3727b8edf4934b12839db6d5c1f6"
            "3966b86b5de05c20f94604"
        ),
        ("a4010103272006215820a57677142d5785216774a659f7ce05556792d950702d8b2306bbb11381f22c14"),
        {},
    ),
]
