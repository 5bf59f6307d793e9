import { InvalidInput } from "./invalid-input.ts";
import type { TargetKind } from "./target.ts";
import { targetKinds } from "./target.ts";
import type { Action, Role } from "./vocabulary.ts";
import { actions } from "./vocabulary.ts";

/** Grows with each change of the bases or reasons below. */
export const catalogueVersion = 1;

/** A title in the three languages of the console. */
export interface Title {
  en: string;
  kk: string;
  ru: string;
}

/** An act and article that a directive rests on, and what it carries. */
export interface LegalBasis {
  code: string;
  title: Title;
  /** The act with its date and number, as cited in Kazakhstan. */
  act: string;
  /** Article, or empty where the whole act is meant. */
  article: string;
  actions: readonly Action[];
  targetKinds: readonly TargetKind[];
  /** Roles that may sign on this basis; powers (who may do it alone) come on top. */
  signers: readonly Role[];
  /** Longest term from the author's first directive on the target, in days. */
  termDaysMax: number;
}

/** Why a directive was given or revoked; a code, since free text stays in its region. */
export interface ReasonCode {
  code: string;
  title: Title;
  /** Actions that it can give the reason for. */
  actions: readonly Action[];
  /** Whether it can give the reason for a revocation. */
  revokes: boolean;
}

const everyAction = actions;
const measures: readonly Action[] = ["warn", "divert", "block"];
const everyKind = targetKinds;
const centreRoles: readonly Role[] = ["operator", "regional-prosecutor", "central-prosecutor"];
const prosecutors: readonly Role[] = ["regional-prosecutor", "central-prosecutor"];

const communicationsLaw = "Law of the Republic of Kazakhstan of 5 July 2004 No. 567-II “On Communications”";
const criminalProcedureCode =
  "Criminal Procedure Code of the Republic of Kazakhstan of 4 July 2014 No. 231-V";

/** The legal bases. The first one carries every action and is the default of the command line. */
export const legalBases: readonly LegalBasis[] = [
  {
    code: "communications-law-41-1",
    title: {
      en: "Law on Communications, article 41-1: suspension of networks and means of communication",
      kk: "«Байланыс туралы» Заң, 41-1-бап: желілер мен байланыс құралдарының жұмысын тоқтата тұру",
      ru: "Закон «О связи», статья 41-1: приостановление работы сетей и средств связи",
    },
    act: communicationsLaw,
    article: "41-1",
    actions: everyAction,
    targetKinds: everyKind,
    signers: centreRoles,
    termDaysMax: 365,
  },
  {
    code: "communications-law-15",
    title: {
      en: "Law on Communications, article 15: operators working with investigating bodies",
      kk: "«Байланыс туралы» Заң, 15-бап: операторлардың жедел-іздестіру органдарымен өзара іс-қимылы",
      ru: "Закон «О связи», статья 15: взаимодействие операторов с органами, осуществляющими ОРД",
    },
    act: communicationsLaw,
    article: "15",
    actions: ["warn", "divert", "block", "observe"],
    targetKinds: everyKind,
    signers: prosecutors,
    termDaysMax: 365,
  },
  {
    code: "criminal-procedure-code-193",
    title: {
      en: "Criminal Procedure Code, article 193: powers of the prosecutor in pre-trial investigation",
      kk: "Қылмыстық-процестік кодекс, 193-бап: сотқа дейінгі тергептегі прокурордың өкілеттіктері",
      ru: "Уголовно-процессуальный кодекс, статья 193: полномочия прокурора в досудебном расследовании",
    },
    act: criminalProcedureCode,
    article: "193",
    actions: everyAction,
    targetKinds: everyKind,
    signers: prosecutors,
    termDaysMax: 365,
  },
  {
    code: "criminal-procedure-code-231",
    title: {
      en: "Criminal Procedure Code, article 231: covert investigative actions",
      kk: "Қылмыстық-процестік кодекс, 231-бап: жасырын тергеу әрекеттері",
      ru: "Уголовно-процессуальный кодекс, статья 231: негласные следственные действия",
    },
    act: criminalProcedureCode,
    article: "231",
    actions: ["observe"],
    targetKinds: everyKind,
    signers: prosecutors,
    termDaysMax: 30,
  },
  {
    code: "prosecution-law",
    title: {
      en: "Constitutional Law on the Prosecutor's Office: supervision of lawfulness",
      kk: "«Прокуратура туралы» Конституциялық заң: заңдылықты қадағалау",
      ru: "Конституционный закон «О прокуратуре»: надзор за законностью",
    },
    act: "Constitutional Law of the Republic of Kazakhstan of 5 November 2022 No. 155-VII “On the Prosecutor's Office”",
    article: "",
    actions: everyAction,
    targetKinds: everyKind,
    signers: prosecutors,
    termDaysMax: 365,
  },
  {
    code: "administrative-procedure-code-91",
    title: {
      en: "Administrative Procedural Code, article 91: complaint of the person concerned",
      kk: "Әкімшілік рәсімдік-процестік кодекс, 91-бап: мүдделі тұлғаның шағымы",
      ru: "Административный процедурно-процессуальный кодекс, статья 91: жалоба заинтересованного лица",
    },
    act: "Administrative Procedural and Process-related Code of the Republic of Kazakhstan of 29 June 2020 No. 350-VI",
    article: "91",
    actions: ["allow"],
    targetKinds: ["number", "number-on-trunk"],
    signers: centreRoles,
    termDaysMax: 365,
  },
];

/** The reasons. */
export const reasonCodes: readonly ReasonCode[] = [
  {
    code: "fraud",
    title: { en: "Calls of fraudsters", kk: "Алаяқтардың қоңыраулары", ru: "Звонки мошенников" },
    actions: everyAction,
    // An allow is revoked because of fraud.
    revokes: true,
  },
  {
    code: "spoofing",
    title: { en: "Forged caller id", kk: "Алмастырылған нөмір", ru: "Подмена номера" },
    actions: measures,
    revokes: false,
  },
  {
    code: "sim-box",
    title: { en: "SIM-box", kk: "SIM-бокс", ru: "SIM-бокс" },
    actions: measures,
    revokes: false,
  },
  {
    code: "complaints",
    title: { en: "Complaints of citizens", kk: "Азаматтардың шағымдары", ru: "Жалобы граждан" },
    actions: measures,
    revokes: false,
  },
  {
    code: "investigation",
    title: { en: "Investigation under way", kk: "Тергеу жүріп жатыр", ru: "Идёт расследование" },
    actions: everyAction,
    revokes: true,
  },
  {
    code: "appeal-upheld",
    title: { en: "Appeal upheld", kk: "Шағым қанағаттандырылды", ru: "Жалоба удовлетворена" },
    actions: ["allow"],
    revokes: true,
  },
  {
    code: "false-stop",
    title: {
      en: "Legitimate call stopped",
      kk: "Заңды қоңырау тоқтатылды",
      ru: "Остановлен законный звонок",
    },
    actions: ["allow"],
    revokes: true,
  },
  {
    code: "mistake",
    title: { en: "Given by mistake", kk: "Қате берілген", ru: "Дано по ошибке" },
    actions: ["allow"],
    revokes: true,
  },
  {
    code: "no-longer-needed",
    title: { en: "No longer needed", kk: "Енді қажет емес", ru: "Больше не требуется" },
    actions: [],
    revokes: true,
  },
];

const basisOfCode = new Map(legalBases.map((basis) => [basis.code, basis]));
const reasonOfCode = new Map(reasonCodes.map((reason) => [reason.code, reason]));

/**
 * The legal basis of a code.
 * @throws InvalidInput `unknown-basis`
 */
export function parseBasis(field: string, code: string): LegalBasis {
  const basis = basisOfCode.get(code);
  if (basis === undefined) {
    throw new InvalidInput({
      code: "unknown-basis",
      field,
      value: code,
      message: "is not in the catalogue of legal bases",
      remedy: `Give one of: ${legalBases.map((each) => each.code).join(", ")}.`,
    });
  }
  return basis;
}

/**
 * The reason of a code, fit for giving a directive with that action, or for a revocation.
 * @throws InvalidInput `unknown-reason`, `unfit-reason`
 */
export function parseReason(field: string, code: string, use: Action | "revoke"): ReasonCode {
  const reason = reasonOfCode.get(code);
  const fitting = reasonCodes.filter((each) => fitsUse(each, use)).map((each) => each.code);
  if (reason === undefined || !fitsUse(reason, use)) {
    throw new InvalidInput({
      code: reason === undefined ? "unknown-reason" : "unfit-reason",
      field,
      value: code,
      message: reason === undefined ? "is not in the catalogue of reasons" : `is no reason for ${use}`,
      remedy: `Give one of: ${fitting.join(", ")}.`,
    });
  }
  return reason;
}

function fitsUse(reason: ReasonCode, use: Action | "revoke"): boolean {
  return use === "revoke" ? reason.revokes : reason.actions.includes(use);
}

/** What is asked of a legal basis. */
export interface BasisUse {
  action: Action;
  targetKind: TargetKind;
  role: Role;
  /** From the author's first directive on the target to the end, in days. */
  termDays: number;
}

/**
 * Why a legal basis does not carry a directive; undefined when it does.
 * `field` names what stands in the way: action, target, basis or expires.
 */
export function basisObjection(
  basis: LegalBasis,
  use: BasisUse,
): { field: string; remedy: string } | undefined {
  if (!basis.actions.includes(use.action)) {
    return { field: "action", remedy: `${basis.code} carries: ${basis.actions.join(", ")}.` };
  }
  if (!basis.targetKinds.includes(use.targetKind)) {
    return { field: "target", remedy: `${basis.code} is for: ${basis.targetKinds.join(", ")}.` };
  }
  if (!basis.signers.includes(use.role)) {
    return { field: "basis", remedy: `${basis.code} is signed by: ${basis.signers.join(", ")}.` };
  }
  if (use.termDays > basis.termDaysMax) {
    return { field: "expires", remedy: `${basis.code} carries at most ${basis.termDaysMax} days.` };
  }
  return undefined;
}
