//! Names of months as logs print them, in every language of the C library.
//!
//! `dmesg -T` and `journalctl` print names of the locale they run in. The table was made of `locale -k abmon mon` for all
//! of Debian 12's `locales-all` (glibc 2.36): ASCII names in small letters, final dots taken off, names that mean
//! different months in different languages left out, but for `jan`, which is January in most of Europe, and `kwi`, Polish for
//! April.

/// The month, 1 to 12, that `name` means in some language; `None` when no language has it, or two differ.
/// A dot at its end and the case of ASCII letters do not matter.
pub fn month(name: &[u8]) -> Option<u8> {
    const ENGLISH: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    // Nearly every log; no search.
    if let Ok(short) = <&[u8; 3]>::try_from(name)
        && let Some(at) = ENGLISH.iter().position(|english| *english == short)
    {
        return u8::try_from(at + 1).ok();
    }
    let name = std::str::from_utf8(name.strip_suffix(b".").unwrap_or(name)).ok()?;
    // Chinese, Japanese and Korean number their months.
    let number = name
        .strip_suffix('\u{6708}')
        .or_else(|| name.strip_suffix('\u{c6d4}'));
    if let Some(number) = number.and_then(|number| number.parse().ok()) {
        return (1..=12).contains(&number).then_some(number);
    }
    // Longest name of the table: what is longer is none.
    if name.len() > LONGEST {
        return None;
    }
    NAMES
        .binary_search_by(|(known, _)| compare(known, name))
        .ok()
        .and_then(|at| NAMES.get(at))
        .map(|(_, month)| *month)
}

/// Bytes of the longest name.
const LONGEST: usize = 33;

/// Order of the table, blind to the case of ASCII letters in `name`.
fn compare(known: &str, name: &str) -> std::cmp::Ordering {
    known.bytes().cmp(name.bytes().map(|byte| {
        if name.is_ascii() {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    }))
}

#[rustfmt::skip]
const NAMES: &[(&str, u8)] = &[
    ("10月", 10), ("10월", 10), ("11月", 11), ("11월", 11), ("12月", 12), ("12월", 12), ("1月", 1), ("1월", 1), ("2月", 2),
    ("2월", 2), ("3月", 3), ("3월", 3), ("4月", 4), ("4월", 4), ("5月", 5), ("5월", 5), ("6月", 6), ("6월", 6), ("7月", 7),
    ("7월", 7), ("8月", 8), ("8월", 8), ("9月", 9), ("9월", 9), ("Aibreán", 4), ("Aralık", 12), ("Ağu", 8), ("Ağustos", 8),
    ("Chèitean", 5), ("Cèit", 5), ("Cʼhw", 2), ("Cʼhwevrer", 2), ("DFómh", 10), ("Diċ", 12), ("Diċembru", 12),
    ("Dàmh", 10), ("Dàmhair", 10), ("Dùbh", 12), ("Dùbhlachd", 12), ("Eanáir", 1), ("Eylül", 9),
    ("Here-turi-kōkā", 8), ("Hōngoi", 7), ("Hōngoingoi", 7), ("Iúil", 7), ("Jän", 1), ("Jänner", 1), ("Kasım", 11),
    ("Kohi-tātea", 1), ("Lùna", 8), ("Lùnastal", 8), ("Lún", 8), ("Lúnasa", 8), ("MFómh", 9), ("Mayıs", 5),
    ("Mhàrt", 3), ("Màrt", 3), ("Márta", 3), ("Mär", 3), ("März", 3), ("Měr", 3), ("Nën", 11), ("Nîs", 4),
    ("Paenga-whāwhā", 4), ("Poutū-te-rangi", 3), ("Tîr", 7), ("Whiringa-ā-nuku", 10), ("Whiringa-ā-rangi", 11),
    ("Xuñ", 6), ("Xuño", 6), ("abe", 12), ("abendua", 12), ("abr", 4), ("abril", 4), ("abu", 8), ("abuztua", 8),
    ("ada", 3), ("adar", 3), ("ado", 7), ("adooleessa", 7), ("afr", 4), ("afraad", 4), ("aga", 8), ("agasti", 8),
    ("agd", 4), ("aggustip", 8), ("ago", 8), ("agosto", 8), ("agu", 8), ("agusito", 8), ("agustus", 8), ("aib", 4),
    ("alsa", 5), ("ama", 1), ("amajjii", 1), ("aog", 8), ("aogositra", 8), ("aoû", 8), ("août", 8), ("api", 4),
    ("apirila", 4), ("apr", 4), ("aprel", 4), ("apriilip", 4), ("april", 4), ("aprile", 4), ("aprilie", 4),
    ("aprill", 4), ("aprily", 4), ("apryla", 4), ("apríl", 4), ("aprīlis", 4), ("apu", 4), ("apuli", 4), ("ara", 12),
    ("aug", 8), ("august", 8), ("augusti", 8), ("augusts", 8), ("augustus", 8), ("augusztus", 8), ("averil", 4),
    ("avg", 8), ("avgust", 8), ("avi", 12), ("aviento", 12), ("avr", 4), ("avril", 4), ("avrril", 4), ("awg", 8),
    ("awgusta", 8), ("awo", 8), ("aws", 8), ("awst", 8), ("aww", 8), ("awwissu", 8), ("aza", 11), ("azaroa", 11),
    ("bal", 4), ("balandžio", 4), ("baxis", 4), ("beal", 5), ("bealtaine", 5), ("birž", 6), ("birželio", 6),
    ("bit", 3), ("bitooteessa", 3), ("boaldyn", 5), ("bře", 3), ("března", 3), ("caamsa", 5), ("cam", 5), ("can", 5),
    ("cax", 5), ("chi", 1), ("chinero", 1), ("chl", 7), ("chn", 6), ("chuliol", 7), ("chunyo", 6), ("chw", 2),
    ("chwefror", 2), ("cig", 3), ("cot", 10), ("cotmeh", 10), ("cze", 6), ("czerwca", 6), ("dec", 12),
    ("decembar", 12), ("decembarip", 12), ("december", 12), ("decembra", 12), ("decembre", 12), ("decembrie", 12),
    ("decembris", 12), ("decembro", 12), ("decimbe", 12), ("dek", 12), ("dekabr", 12), ("des", 12), ("desambra", 12),
    ("desemba", 12), ("desember", 12), ("desembre", 12), ("dets", 12), ("detsember", 12), ("dez", 12),
    ("dezember", 12), ("dezembro", 12), ("dhj", 12), ("dhjetor", 12), ("dic", 12), ("dicembre", 12),
    ("diciembre", 12), ("dis", 12), ("disemba", 12), ("disember", 12), ("disyembre", 12), ("dit", 10), ("diteli", 10),
    ("dja", 1), ("djanvî", 1), ("djl", 7), ("djn", 6), ("djulete", 7), ("djun", 6), ("du", 11), ("dub", 4),
    ("dubna", 4), ("dwa", 10), ("déc", 12), ("décembre", 12), ("d’abr", 4), ("d’abril", 4), ("d’ag", 8),
    ("d’agost", 8), ("d’agostu", 8), ("d’avientu", 12), ("d’ochobre", 10), ("d’oct", 10), ("d’octubre", 10),
    ("d’octòbre", 10), ("d’ avri", 4), ("d’ awousse", 8), ("d’ octôbe", 10), ("ean", 1), ("ebr", 4), ("ebrel", 4),
    ("ebrill", 4), ("eka", 6), ("ekaina", 6), ("eki", 10), ("ekim", 10), ("elb", 4), ("elba", 4), ("elo", 8),
    ("elokuu", 8), ("ene", 1), ("enero", 1), ("eos", 8), ("eost", 8), ("eph", 4), ("ephreli", 4), ("est", 8),
    ("eyedwarha", 10), ("eyekhala", 7), ("eyenkanga", 11), ("eyesilimela", 6), ("eyethupa", 8), ("eyl", 9),
    ("eyokwindla", 3), ("eyomdumba", 2), ("eyomnga", 12), ("eyomqungu", 1), ("eyomsintsi", 9), ("faoi", 1),
    ("feabh", 2), ("feabhra", 2), ("feb", 2), ("febbraio", 2), ("febr", 2), ("febreiro", 2), ("febrer", 2),
    ("febrero", 2), ("febreru", 2), ("febrièr", 2), ("febroary", 2), ("februaarip", 2), ("februar", 2),
    ("februara", 2), ("februari", 2), ("februarie", 2), ("february", 2), ("februwari", 2), ("február", 2),
    ("februāris", 2), ("febrúar", 2), ("febwaliyo", 2), ("fev", 2), ("fevereiro", 2), ("fevral", 2), ("fevrî", 2),
    ("fhaoilleach", 1), ("fra", 2), ("frar", 2), ("ful", 9), ("fuulbana", 9), ("fév", 2), ("févr", 2), ("février", 2),
    ("gearr", 2), ("geg", 5), ("gegužės", 5), ("gen", 1), ("gener", 1), ("genièr", 1), ("gennaio", 1), ("genver", 1),
    ("ghearran", 2), ("ghiblean", 4), ("gibl", 4), ("giu", 6), ("giugno", 6), ("gor", 7), ("gorffennaf", 7),
    ("gortheren", 7), ("gou", 7), ("gouere", 7), ("gru", 12), ("grudnia", 12), ("gruod", 12), ("gruodžio", 12),
    ("gsh", 8), ("gul", 5), ("gulan", 5), ("gur", 2), ("guraandhala", 2), ("gusht", 8), ("gwe", 9), ("gwengolo", 9),
    ("gwn", 9), ("gwynngala", 9), ("hag", 8), ("hagayya", 8), ("haki", 12), ("hakihea", 12), ("hara", 5),
    ("haratua", 5), ("haz", 6), ("haziran", 6), ("hed", 10), ("hedra", 10), ("heinä", 7), ("heinäkuu", 7),
    ("helmi", 2), ("helmikuu", 2), ("her", 10), ("hez", 6), ("hezîran", 6), ("hla", 2), ("hlakola", 2),
    ("houney", 11), ("huhti", 4), ("huhtikuu", 4), ("hui", 2), ("hui-tanguru", 2), ("hul", 7), ("hulyo", 7),
    ("hun", 6), ("hunyo", 6), ("hwe", 2), ("hwevrer", 2), ("hyd", 10), ("hydref", 10), ("ian", 1), ("ianuarie", 1),
    ("ion", 1), ("ionawr", 1), ("ira", 9), ("iraila", 9), ("iuch", 7), ("iuchar", 7), ("iul", 7), ("iulie", 7),
    ("iun", 6), ("iunie", 6), ("iyl", 7), ("iyn", 6), ("iyul", 7), ("iyun", 6), ("j-fouyir", 10), ("j-guer", 1),
    ("j-souree", 7), ("jaan", 1), ("jaanuar", 1), ("jan", 1), ("janar", 1), ("janeiro", 1), ("jannar", 1), ("janoary", 1),
    ("januaarip", 1), ("januar", 1), ("januara", 1), ("januari", 1), ("januarie", 1), ("january", 1), ("januwari", 1),
    ("január", 1), ("janv", 1), ("janvier", 1), ("janvāris", 1), ("janwaliyo", 1), ("janúar", 1),
    ("jerrey-fouyir", 10), ("jerrey-geuree", 1), ("jerrey-souree", 7), ("jol", 7), ("jolay", 7), ("jon", 6),
    ("jona", 6), ("joulu", 12), ("joulukuu", 12), ("jui", 7), ("juil", 7), ("juillet", 7), ("juin", 6), ("jul", 7),
    ("julaayi", 7), ("julai", 7), ("julayi", 7), ("julhet", 7), ("julho", 7), ("juli", 7), ("julie", 7), ("julij", 7),
    ("julija", 7), ("julio", 7), ("juliol", 7), ("july", 7), ("jun", 6), ("june", 6), ("junh", 6), ("junho", 6),
    ("juni", 6), ("junie", 6), ("junij", 6), ("junija", 6), ("junio", 6), ("juny", 6), ("juu", 6), ("juuli", 7),
    ("juulip", 7), ("juuni", 6), ("juunip", 6), ("júl", 7), ("július", 7), ("júlí", 7), ("jún", 6), ("június", 6),
    ("júní", 6), ("jūl", 7), ("jūlijs", 7), ("jūn", 6), ("jūnijs", 6), ("kan", 12), ("kanûn", 12), ("kas", 11),
    ("kax", 12), ("ker", 12), ("kerzu", 12), ("kesä", 6), ("kesäkuu", 6), ("kev", 12), ("kevardhu", 12), ("kha", 7),
    ("kit", 11), ("kob", 1), ("kohi", 1), ("kol", 8), ("kolovoza", 8), ("koobaad", 1), ("kor", 7), ("korrik", 7),
    ("kov", 3), ("kovo", 3), ("kvě", 5), ("května", 5), ("kwi", 4), ("kwietnia", 4), ("lab", 2), ("labaad", 2), ("lapkr", 11),
    ("lapkričio", 11), ("led", 1), ("ledna", 1), ("leo", 9), ("leotse", 9), ("leq", 8), ("leqeeni", 8), ("liep", 7),
    ("liepos", 7), ("lipca", 7), ("lipnja", 6), ("listopadu", 11), ("lit", 12), ("lix", 6), ("lixaad", 6),
    ("loka", 10), ("lokakuu", 10), ("luanistyn", 8), ("lug", 7), ("luglio", 7), ("lul", 7), ("lulju", 7), ("lut", 2),
    ("lutego", 2), ("m-fouyir", 9), ("m-souree", 6), ("m.houney", 11), ("m.nollick", 12), ("maa", 5), ("maajip", 5),
    ("maalis", 3), ("maaliskuu", 3), ("maart", 3), ("maayi", 5), ("mac", 3), ("mae", 5), ("mag", 5), ("maggio", 5),
    ("mahu", 9), ("mahuru", 9), ("mai", 5), ("maiatza", 5), ("maig", 5), ("maijs", 5), ("maio", 5), ("maj", 5),
    ("maja", 5), ("mar", 3), ("marca", 3), ("march", 3), ("marec", 3), ("maret", 3), ("marisi", 3), ("marras", 11),
    ("marraskuu", 11), ("mars", 3), ("marsip", 3), ("marso", 3), ("mart", 3), ("martie", 3), ("marts", 3),
    ("martsa", 3), ("martxoa", 3), ("marzo", 3), ("marzu", 3), ("març", 3), ("março", 3), ("mas", 3), ("mashi", 3),
    ("maw", 3), ("mawrth", 3), ("may", 5), ("mayo", 5), ("mayrnt", 3), ("mayu", 5), ("maí", 5), ("mdu", 2), ("me", 5),
    ("mean-fouyir", 9), ("mean-souree", 6), ("med", 9), ("medi", 9), ("meh", 6), ("mehefin", 6), ("mei", 5),
    ("meith", 6), ("meitheamh", 6), ("mej", 5), ("meje", 5), ("mejju", 5), ("met", 6), ("metheven", 6), ("meu", 3),
    ("meurth", 3), ("meurzh", 3), ("mey", 5), ("meyi", 5), ("mezh", 6), ("mezheven", 6), ("mij", 11), ("mijdar", 11),
    ("mme", 4), ("mmese", 4), ("mng", 12), ("mot", 5), ("motsheanong", 5), ("mph", 10), ("mphalane", 10), ("mqu", 1),
    ("mrt", 3), ("msi", 9), ("mud", 12), ("muddee", 12), ("máj", 5), ("május", 5), ("márc", 3), ("március", 3),
    ("märts", 3), ("mås", 3), ("måss", 3), ("měrca", 3), ("nah", 2), ("nis", 4), ("nisan", 4), ("nka", 11),
    ("nob", 11), ("nobiyembre", 11), ("noiembrie", 11), ("noll", 12), ("nollaig", 12), ("nollick", 12), ("nov", 11),
    ("novambra", 11), ("novemba", 11), ("novembar", 11), ("novembarip", 11), ("november", 11), ("novembre", 11),
    ("novembris", 11), ("novembro", 11), ("novembru", 11), ("noviembre", 11), ("now", 11), ("nowembra", 11),
    ("noy", 11), ("noyabr", 11), ("nëntor", 11), ("nîsan", 4), ("nóv", 11), ("nóvember", 11), ("nôv", 11),
    ("nôvimbe", 11), ("oca", 1), ("ocak", 1), ("och", 10), ("oct", 10), ("october", 10), ("octobre", 10),
    ("octombrie", 10), ("octubre", 10), ("ogos", 8), ("oki", 10), ("okitobba", 10), ("okt", 10), ("oktabr", 10),
    ("okthoba", 10), ("oktobar", 10), ("oktobarip", 10), ("oktober", 10), ("oktobra", 10), ("oktobris", 10),
    ("oktoober", 10), ("oktubre", 10), ("október", 10), ("onk", 10), ("onkololeessa", 10), ("ots", 2), ("otsaila", 2),
    ("ott", 10), ("ottobre", 10), ("ottubru", 10), ("out", 10), ("outubro", 10), ("ožu", 3), ("ožujka", 3),
    ("pae", 4), ("pay", 11), ("payares", 11), ("paź", 10), ("października", 10), ("peb", 2), ("pebrero", 2),
    ("pha", 8), ("phato", 8), ("phe", 1), ("pherekgong", 1), ("phupjane", 6), ("phupu", 7), ("pipi", 6),
    ("pipiri", 6), ("pou", 3), ("pri", 4), ("prill", 4), ("pro", 12), ("prosinca", 12), ("prosince", 12), ("pud", 11),
    ("pudungwana", 11), ("qad", 7), ("qas", 6), ("qer", 6), ("qershor", 6), ("qun", 1), ("rha", 12), ("rhagfyr", 12),
    ("rugp", 8), ("rugpjūčio", 8), ("rugs", 9), ("rugsėjo", 9), ("ruj", 9), ("rujna", 9), ("sadaasa", 11),
    ("saddexaad", 3), ("sag", 9), ("sagaalaad", 9), ("samh", 11), ("samhain", 11), ("saus", 1), ("sausio", 1),
    ("seb", 9), ("sebuttemba", 9), ("sen", 9), ("sentabr", 9), ("sep", 9), ("sept", 9), ("septambra", 9),
    ("septembar", 9), ("septembarip", 9), ("september", 9), ("septembra", 9), ("septembre", 9), ("septembrie", 9),
    ("septembris", 9), ("septhemba", 9), ("septiembre", 9), ("septiyembre", 9), ("set", 9), ("setembre", 9),
    ("setembro", 9), ("setiembre", 9), ("setimbe", 9), ("settembre", 9), ("settembru", 9), ("sha", 5), ("shanaad", 5),
    ("shk", 2), ("shkurt", 2), ("sht", 9), ("shtator", 9), ("sib", 2), ("sibat", 2), ("sid", 8), ("sideedaad", 8),
    ("sie", 8), ("sierpnia", 8), ("sij", 1), ("siječnja", 1), ("sil", 6), ("spal", 10), ("spalio", 10), ("srpna", 8),
    ("srpnja", 7), ("stu", 11), ("studenoga", 11), ("sty", 1), ("stycznia", 1), ("sult", 9), ("svi", 5),
    ("svibnja", 5), ("syys", 9), ("syyskuu", 9), ("szept", 9), ("szeptember", 9), ("t-arree", 2), ("t-samhain", 11),
    ("t-sultain", 9), ("tach", 11), ("tachwedd", 11), ("tammi", 1), ("tammikuu", 1), ("teb", 8), ("tebax", 8),
    ("tem", 7), ("temmuz", 7), ("tet", 10), ("tetor", 10), ("thu", 8), ("tlh", 3), ("tlhakubele", 3), ("tob", 10),
    ("tod", 7), ("todobaad", 7), ("toshiaght-arree", 2), ("touko", 5), ("toukokuu", 5), ("tra", 4), ("travnja", 4),
    ("tshitwe", 12), ("tîrmeh", 7), ("ucanzibe", 5), ("upu", 7), ("urr", 10), ("urria", 10), ("urt", 1),
    ("urtarrila", 1), ("utshazimpuzi", 4), ("uzt", 7), ("uztaila", 7), ("vas", 2), ("vasario", 2), ("veebr", 2),
    ("veebruar", 2), ("velj", 2), ("veljače", 2), ("wax", 6), ("waxabajjii", 6), ("way", 9), ("waysu", 9),
    ("whi-nu", 10), ("whi-ra", 11), ("wrz", 9), ("września", 9), ("xan", 1), ("xaneiro", 1), ("xim", 11),
    ("ximoli", 11), ("xin", 1), ("xineru", 1), ("xnt", 7), ("xul", 7), ("xullo", 7), ("xun", 6), ("xunetu", 7),
    ("xunu", 6), ("yan", 1), ("yanvar", 1), ("zář", 9), ("září", 9), ("Çil", 1), ("Îlo", 9), ("Ògmh", 6),
    ("Ògmhios", 6), ("ágú", 8), ("ágúst", 8), ("ápr", 4), ("április", 4), ("çile", 1), ("îlon", 9), ("úno", 2),
    ("února", 2), ("čec", 7), ("čen", 6), ("července", 7), ("června", 6), ("Ġun", 6), ("Ġunju", 6), ("říj", 10),
    ("října", 10), ("Şub", 2), ("Şubat", 2), ("Απρ", 4), ("Απριλίου", 4), ("Αυγ", 8), ("Αυγούστου", 8), ("Δεκ", 12),
    ("Δεκεμβρίου", 12), ("Ιαν", 1), ("Ιανουαρίου", 1), ("Ιουλ", 7), ("Ιουλίου", 7), ("Ιουν", 6), ("Ιουνίου", 6),
    ("Μαΐ", 5), ("Μαΐου", 5), ("Μαρ", 3), ("Μαρτίου", 3), ("Νοε", 11), ("Νοεμβρίου", 11), ("Οκτ", 10),
    ("Οκτωβρίου", 10), ("Σεπ", 9), ("Σεπτεμβρίου", 9), ("Φεβ", 2), ("Φεβρουαρίου", 2), ("Авг", 8), ("Августа", 8),
    ("Апр", 4), ("Апреля", 4), ("Ақп", 2), ("Ақпан", 2), ("Дек", 12), ("Декабря", 12), ("Жел", 12), ("Желтоқсан", 12),
    ("Июл", 7), ("Июля", 7), ("Июн", 6), ("Июня", 6), ("Май", 5), ("Мам", 5), ("Мамыр", 5), ("Мар", 3), ("Марта", 3),
    ("Мау", 6), ("Маусым", 6), ("Мая", 5), ("Нау", 3), ("Наурыз", 3), ("Ноя", 11), ("Ноября", 11), ("Окт", 10),
    ("Октября", 10), ("Сен", 9), ("Сентября", 9), ("Сәу", 4), ("Сәуір", 4), ("Там", 8), ("Тамыз", 8), ("Фев", 2),
    ("Февраля", 2), ("Шіл", 7), ("Шілде", 7), ("Янв", 1), ("Января", 1), ("авг", 8), ("август", 8), ("августа", 8),
    ("апр", 4), ("апреля", 4), ("април", 4), ("бер", 3), ("березня", 3), ("вер", 9), ("верасня", 9), ("вересня", 9),
    ("гру", 12), ("грудня", 12), ("дек", 12), ("декабря", 12), ("декември", 12), ("жні", 8), ("жніўня", 8),
    ("жов", 10), ("жовтня", 10), ("июл", 7), ("июля", 7), ("июн", 6), ("июня", 6), ("кас", 10), ("кастрычніка", 10),
    ("кві", 4), ("квітня", 4), ("кра", 4), ("красавіка", 4), ("лип", 7), ("липня", 7), ("лис", 11), ("листопада", 11),
    ("лют", 2), ("лютага", 2), ("лютого", 2), ("ліп", 7), ("ліпеня", 7), ("ліс", 11), ("лістапада", 11), ("май", 5),
    ("мар", 3), ("март", 3), ("марта", 3), ("мая", 5), ("мај", 5), ("ное", 11), ("ноември", 11), ("ноя", 11),
    ("ноября", 11), ("окт", 10), ("октомври", 10), ("октября", 10), ("сак", 3), ("сакавіка", 3), ("сен", 9),
    ("сентября", 9), ("сеп", 9), ("септември", 9), ("сер", 8), ("серпня", 8), ("сне", 12), ("снежня", 12), ("сту", 1),
    ("студзеня", 1), ("січ", 1), ("січня", 1), ("тра", 5), ("травня", 5), ("фев", 2), ("февраля", 2), ("февруари", 2),
    ("чер", 6), ("червня", 6), ("чэр", 6), ("чэрвеня", 6), ("юли", 7), ("юни", 6), ("янв", 1), ("января", 1),
    ("яну", 1), ("януари", 1), ("јан", 1), ("јануари", 1), ("јул", 7), ("јули", 7), ("јун", 6), ("јуни", 6),
    ("Қаз", 10), ("Қазан", 10), ("Қар", 11), ("Қараша", 11), ("Қаң", 1), ("Қаңтар", 1), ("Қыр", 9), ("Қыркүйек", 9),
    ("אַפּר", 4), ("אַפּריל", 4), ("אָקט", 10), ("אוג", 8), ("אוגוסט", 8), ("אויגוסט", 8), ("אוק", 10),
    ("אוקטובר", 10), ("אפר", 4), ("אפריל", 4), ("אקטאבער", 10), ("אױג", 8), ("דעצ", 12), ("דעצעמבער", 12),
    ("דצמ", 12), ("דצמבר", 12), ("יאַנ", 1), ("יאַנואַר", 1), ("יול", 7), ("יולי", 7), ("יונ", 6), ("יוני", 6),
    ("ינו", 1), ("ינואר", 1), ("מאַר", 3), ("מאי", 5), ("מיי", 5), ("מערץ", 3), ("מרץ", 3), ("מײַ", 5), ("נאָװ", 11),
    ("נאוועמבער", 11), ("נוב", 11), ("נובמבר", 11), ("סעפּ", 9), ("סעפּטעמבער", 9), ("ספט", 9), ("ספטמבר", 9),
    ("פֿעב", 2), ("פֿעברואַר", 2), ("פבר", 2), ("פברואר", 2), ("آب", 8), ("آذار", 3), ("أبر", 4), ("أبريل", 4),
    ("أغس", 8), ("أغسطس", 8), ("أفريل", 4), ("أكت", 10), ("أكتوبر", 10), ("أوت", 8), ("أيار", 5), ("أيلول", 9),
    ("تموز", 7), ("جانفي", 1), ("جوان", 6), ("جويلية", 7), ("حزيران", 6), ("دجنبر", 12), ("ديس", 12), ("ديسمبر", 12),
    ("سبت", 9), ("سبتمبر", 9), ("شباط", 2), ("شتنبر", 9), ("غشت", 8), ("فبر", 2), ("فبراير", 2), ("فيفري", 2),
    ("مار", 3), ("مارس", 3), ("ماي", 5), ("مايو", 5), ("نوف", 11), ("نوفمبر", 11), ("نونبر", 11), ("نيسان", 4),
    ("ينا", 1), ("يناير", 1), ("يول", 7), ("يوليو", 7), ("يوليوز", 7), ("يون", 6), ("يونيو", 6), ("ಅ", 10),
    ("ಅಕ್ಟೋಬರ್", 10), ("ಆ", 8), ("ಆಗಸ್ಟ್", 8), ("ಏ", 4), ("ಏಪ್ರಿಲ್‌‌", 4), ("ಜ", 1), ("ಜನವರಿ", 1), ("ಜು", 7),
    ("ಜುಲೈ", 7), ("ಜೂ", 6), ("ಜೂನ್", 6), ("ಡಿ", 12), ("ಡಿಸೆಂಬರ್", 12), ("ನ", 11), ("ನವೆಂಬರ್", 11), ("ಫೆ", 2),
    ("ಫೆಬ್ರುವರಿ", 2), ("ಮಾ", 3), ("ಮಾರ್ಚ್", 3), ("ಮೇ", 5), ("ಸೆ", 9), ("ಸೆಪ್ಟೆಂಬರ್‌", 9), ("ก.ค", 7), ("ก.พ", 2),
    ("ก.ย", 9), ("กรกฎาคม", 7), ("กันยายน", 9), ("กุมภาพันธ์", 2), ("ต.ค", 10), ("ตุลาคม", 10), ("ธ.ค", 12),
    ("ธันวาคม", 12), ("พ.ค", 5), ("พ.ย", 11), ("พฤศจิกายน", 11), ("พฤษภาคม", 5), ("ม.ค", 1), ("มกราคม", 1),
    ("มิ.ย", 6), ("มิถุนายน", 6), ("มี.ค", 3), ("มีนาคม", 3), ("ส.ค", 8), ("สิงหาคม", 8), ("เม.ย", 4), ("เมษายน", 4),
    ("აგვ", 8), ("აგვისტო", 8), ("აპრ", 4), ("აპრილი", 4), ("დეკ", 12), ("დეკემბერი", 12), ("თებ", 2),
    ("თებერვალი", 2), ("იან", 1), ("იანვარი", 1), ("ივლ", 7), ("ივლისი", 7), ("ივნ", 6), ("ივნისი", 6), ("მაი", 5),
    ("მაისი", 5), ("მარ", 3), ("მარტი", 3), ("ნოე", 11), ("ნოემბერი", 11), ("ოქტ", 10), ("ოქტომბერი", 10), ("სექ", 9),
    ("სექტემბერი", 9), ("一月", 1), ("七月", 7), ("三月", 3), ("九月", 9), ("二月", 2), ("五月", 5), ("八月", 8), ("六月", 6),
    ("十一月", 11), ("十二月", 12), ("十月", 10), ("四月", 4),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found() {
        assert!(NAMES.is_sorted_by(|one, other| one.0.as_bytes() < other.0.as_bytes()));
        for (name, number) in NAMES {
            assert_eq!(month(name.as_bytes()), Some(*number), "{name}");
        }
    }

    #[test]
    fn languages_dots_and_cases() {
        for (name, number) in [
            ("Mar", 3),
            ("mar.", 3),
            ("M\u{e4}r", 3),
            ("nov.", 11),
            ("3\u{6708}", 3),
            ("11\u{c6d4}", 11),
            ("December", 12),
            ("OKT", 10),
            ("d\u{e9}c.", 12),
        ] {
            assert_eq!(month(name.as_bytes()), Some(number), "{name}");
        }
        for name in ["", "Killed", "13\u{6708}", "0\u{6708}", "Node"] {
            assert_eq!(month(name.as_bytes()), None, "{name}");
        }
    }
}
