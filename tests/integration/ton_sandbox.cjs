// Runs TON's virtual machine with real contracts and answers questions about them: one JSON object
// a line on stdin, one on stdout. The first line that it writes names what it deployed.
//
// usage: node ton_sandbox.cjs DIRECTORY, where .ci/install-ton put the packages
"use strict";

const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

const directory = process.argv[2];
const load = createRequire(join(directory, "package.json"));
const { Address, beginCell, Cell, contractAddress, internal, SendMode, toNano } = load("@ton/core");
const { keyPairFromSeed } = load("@ton/crypto");
const { Blockchain } = load("@ton/sandbox");
const ton = load("@ton/ton");

const NOT_ACTIVE = -13; // what a lite server says of an account without code
const WALLETS = {
  "wallet-v1r1": ton.WalletContractV1R1,
  "wallet-v1r2": ton.WalletContractV1R2,
  "wallet-v1r3": ton.WalletContractV1R3,
  "wallet-v2r1": ton.WalletContractV2R1,
  "wallet-v2r2": ton.WalletContractV2R2,
  "wallet-v3r1": ton.WalletContractV3R1,
  "wallet-v3r2": ton.WalletContractV3R2,
  "wallet-v4r2": ton.WalletContractV4,
  "wallet-v5r1": ton.WalletContractV5R1,
};

const keyOf = (name) => keyPairFromSeed(createHash("sha256").update(name).digest());

// Returns the compiled code that stands as hex in one of tonweb's files, behind some text.
function codeOf(file, behind) {
  const text = readFileSync(join(directory, "tonweb", "src", file), "utf8");
  const found = text.slice(text.indexOf(behind)).match(/['"]([0-9a-fA-F]{200,})['"]/);
  return Cell.fromBoc(Buffer.from(found[1], "hex"))[0];
}

const JETTONS = "contract/token/ft/";
const jettonWalletCode = () => codeOf(JETTONS + "JettonWallet.js", "JETTON_WALLET_CODE_HEX =");
const highloadCode = () =>
  codeOf("contract/highloadWallet/HighloadWalletContractV3.js", "CODE_HEX =");
const jettonMasterCode = () => codeOf(JETTONS + "JettonMinter.js", "oneFromBoc(");

async function deployed(blockchain) {
  const treasury = await blockchain.treasury("treasury");
  const wallets = {};
  const opened = {};
  for (const [name, kind] of Object.entries(WALLETS)) {
    const key = keyOf(name);
    const wallet = blockchain.openContract(
      kind.create({ workchain: 0, publicKey: key.publicKey }),
    );
    await treasury.send({ to: wallet.address, value: toNano("100"), bounce: false });
    await send(wallet, key, { to: treasury.address, value: toNano("1"), bounce: false });
    opened[name] = [wallet, key];
    wallets[name] = {
      address: wallet.address.toRawString(),
      key: key.publicKey.toString("hex"),
    };
  }
  const waiting = new Address(0, Buffer.alloc(32, 7));
  await treasury.send({ to: waiting, value: toNano("3"), bounce: false });
  return {
    wallets,
    waiting: waiting.toRawString(),
    highload: highloadCode().hash().toString("hex"),
    jetton: await jetton(blockchain, treasury, opened),
    pool: await pool(treasury, opened),
  };
}

async function send(wallet, key, message) {
  await wallet.sendTransfer({
    seqno: await wallet.getSeqno(),
    secretKey: key.secretKey,
    sendMode: SendMode.PAY_GAS_SEPARATELY,
    messages: [internal(message)],
    message: internal(message), // before V3 there is one only
  });
}

// Deploys a jetton, mints to two wallets, moves some to a third.
async function jetton(blockchain, treasury, opened) {
  const text = beginCell().storeUint(1, 8).storeStringTail("https://example.org/jetton.json");
  const data = beginCell()
    .storeCoins(0)
    .storeAddress(treasury.address)
    .storeRef(text.endCell())
    .storeRef(jettonWalletCode())
    .endCell();
  const init = { code: jettonMasterCode(), data };
  const master = contractAddress(0, init);
  const [alice, bob, carol] = ["wallet-v4r2", "wallet-v3r2", "wallet-v5r1"].map((n) => opened[n]);
  const mint = (owner, amount) => {
    const inner = beginCell()
      .storeUint(0x178d4519, 32)
      .storeUint(0, 64)
      .storeCoins(amount)
      .storeAddress(null)
      .storeAddress(null)
      .storeCoins(0)
      .storeBit(false);
    return beginCell()
      .storeUint(21, 32)
      .storeUint(0, 64)
      .storeAddress(owner)
      .storeCoins(toNano("0.2"))
      .storeRef(inner.endCell())
      .endCell();
  };
  const minted = [
    [alice, 10n ** 20n + 1n],
    [bob, 500n],
  ];
  for (const [[wallet], amount] of minted) {
    await treasury.send({ to: master, value: toNano("1"), init, body: mint(wallet.address, amount) });
  }
  const moved = beginCell()
    .storeUint(0xf8a7ea5, 32)
    .storeUint(0, 64)
    .storeCoins(40)
    .storeAddress(carol[0].address)
    .storeAddress(alice[0].address)
    .storeBit(false)
    .storeCoins(0)
    .storeBit(false)
    .endCell();
  const own = await blockchain.runGetMethod(master, "get_wallet_address", [
    { type: "slice", cell: beginCell().storeAddress(alice[0].address).endCell() },
  ]);
  const wallet = own.stackReader.readAddress();
  await send(...alice, { to: wallet, value: toNano("0.3"), body: moved });
  return { master: master.toRawString(), wallet: wallet.toRawString() };
}

// Deploys a nominator pool and lets a wallet deposit in it.
async function pool(treasury, opened) {
  const config = beginCell()
    .storeBuffer(Buffer.alloc(32, 9)) // the validator
    .storeUint(4000, 16)
    .storeUint(40, 16)
    .storeCoins(toNano("1000"))
    .storeCoins(toNano("10"));
  const data = beginCell()
    .storeUint(0, 8)
    .storeUint(0, 16)
    .storeCoins(0)
    .storeCoins(0)
    .storeRef(config.endCell())
    .storeBit(false)
    .storeBit(false)
    .storeUint(0, 32)
    .storeUint(0, 256)
    .storeUint(0, 8)
    .storeUint(0, 32)
    .storeUint(0, 32)
    .storeBit(false)
    .endCell();
  const init = { code: codeOf("test-pool-upd.js", "INIT_POOL_CODE_HEX ="), data };
  const address = contractAddress(-1, init);
  await treasury.send({ to: address, value: toNano("2"), init, bounce: false });
  const deposit = beginCell().storeUint(0, 32).storeStringTail("d").endCell();
  const message = { to: address, value: toNano("31"), body: deposit };
  await send(...opened["wallet-v4r2"], message);
  return address.toRawString();
}

function shown(item) {
  if (item.type === "int") {
    const digits = (item.value < 0n ? -item.value : item.value).toString(16);
    return ["num", (item.value < 0n ? "-0x" : "0x") + digits];
  }
  if (isList(item)) return ["list", entries(members(item), "tvm.list")];
  if (item.type === "tuple") return ["tuple", entries(item.items)];
  return ["cell", { bytes: item.cell.toBoc().toString("base64") }];
}

// A list is a chain of pairs, head and rest, which ends with null.
function isList(item) {
  if (item.type !== "tuple") return item.type === "null";
  return item.items.length === 2 && isList(item.items[1]);
}

function members(list) {
  return list.type === "null" ? [] : [list.items[0], ...members(list.items[1])];
}

// Shows what is inside of tuples and lists as servers do.
function entries(items, kind = "tvm.tuple") {
  const elements = items.map((item) => {
    if (item.type !== "int") return { "@type": "tvm.stackEntryTuple", tuple: entries(item.items) };
    const number = { "@type": "tvm.numberDecimal", number: item.value.toString() };
    return { "@type": "tvm.stackEntryNumber", number };
  });
  return { "@type": kind, elements };
}

async function state(blockchain, address) {
  const contract = await blockchain.getContract(address);
  const found = contract.accountState;
  const boc = (cell) => (cell ? cell.toBoc().toString("base64") : "");
  return {
    balance: contract.balance.toString(),
    state: found === undefined || found.type === "uninit" ? "uninitialized" : found.type,
    code: found?.type === "active" ? boc(found.state.code) : "",
    data: found?.type === "active" ? boc(found.state.data) : "",
  };
}

async function run(blockchain, { address, method, slices }) {
  const contract = await blockchain.getContract(Address.parse(address));
  if (contract.accountState?.type !== "active") return { exit_code: NOT_ACTIVE, stack: [] };
  const stack = slices.map((one) => ({ type: "slice", cell: Cell.fromBase64(one) }));
  try {
    const done = await contract.get(method, stack);
    return { exit_code: done.exitCode, stack: done.stack.map(shown) };
  } catch (error) {
    if (error.exitCode === undefined) throw error;
    return { exit_code: error.exitCode, stack: [] };
  }
}

async function main() {
  const blockchain = await Blockchain.create();
  const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
  const opened = await deployed(blockchain);
  say(opened);
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    const address = Address.parse(asked.address);
    say(await (asked.method ? run(blockchain, asked) : state(blockchain, address)));
  }
}

main();
