"""Short documents of each kind, written for these tests: two with their usual title, one or more without it, worn by
OCR, or full of words that belong to other kinds."""

from __future__ import annotations

from tasks.payloads import DocumentType

SPECIMENS: tuple[tuple[DocumentType, str], ...] = (
    (
        "peticao_inicial",
        "AO JUÍZO DA 2ª VARA DO TRABALHO DE NITERÓI – RJ\nMÁRCIO ANTUNES, brasileiro, solteiro,"
        " pedreiro, CPF 111.444.777-35, vem propor RECLAMAÇÃO TRABALHISTA em face de CONSTRUTORA"
        " PILAR LTDA. O reclamante foi admitido em 02/05/2022 e dispensado sem justa causa, sem"
        " receber as verbas rescisórias. Requer a notificação da reclamada e a condenação ao"
        " pagamento de aviso prévio, férias e FGTS. Dá à causa o valor de R$ 23.000,00. Pede"
        " deferimento.",
    ),
    (
        "peticao_inicial",
        "EXMO. SR. DR. JUIZ FEDERAL DA SUBSEÇÃO JUDICIÁRIA DE CARUARU\nMaria das Dores Lima, já"
        " idosa, agricultora, por sua advogada infra-assinada, procuração em anexo, vem à presença de"
        " V. Exa. ajuizar AÇÃO DE CONCESSÃO DE APOSENTADORIA POR IDADE RURAL contra o INSS. Conforme"
        " laudo médico e certidão de casamento juntados, a autora sempre trabalhou na roça. Requer a"
        " antecipação da tutela, a citação do réu e a procedência do pedido. Valor da causa: R$"
        " 18.216,00.",
    ),
    (
        "peticao_inicial",
        "AO DOUTO JUIZO DA VARA DE FAMILIA DA COMARCA DE ITABUNA\n\nL. S. P., menor impuber,"
        " representado por sua genitora, vem respeitosamente promover a presente ACAO DE ALIMENTOS em"
        " desfavor de JORGE PEIXOTO. DOS FATOS: as partes conviveram por seis anos; desde a separacao"
        " o requerido nada paga. DO DIREITO: art. 1.694 do Codigo Civil. DOS PEDIDOS: a fixacao de"
        " alimentos provisorios, a citacao do requerido. Protesta provar o alegado. Da-se a causa R$"
        " 7.272,00",
    ),
    (
        "peticao_inicial",
        "JUIZADO ESPECIAL CÍVEL – TERMO DE RECLAMAÇÃO\nCompareceu Ana Lúcia Ferro e ajuizou a"
        " presente ação contra Telefonia Norte S.A., narrando que foi cobrada por serviço não"
        " contratado. Pede a restituição em dobro, o cancelamento do plano e indenização por danos"
        " morais. Valor da causa R$ 5.000,00.",
    ),
    (
        "contestacao",
        "EXCELENTÍSSIMO SENHOR DOUTOR JUIZ DE DIREITO DA 1ª VARA CÍVEL DE LONDRINA\nAutos nº"
        " 0004321-11.2024.8.16.0014\nBANCO ALVORADA S.A., já qualificado, nos autos da ação que lhe"
        " move PEDRO HENRIQUE SÁ, vem apresentar sua CONTESTAÇÃO. I – SÍNTESE DA INICIAL. Alega o"
        " autor que não contratou o empréstimo. II – PRELIMINAR. Falta de interesse de agir. III – DO"
        " MÉRITO. O contrato foi assinado. Requer sejam julgados improcedentes os pedidos.",
    ),
    (
        "contestacao",
        "Processo 1009988-22.2024.8.26.0100. O CONDOMÍNIO EDIFÍCIO AURORA, por seu advogado, na ação"
        " proposta por Lídia Prates, vem oferecer sua defesa pelos motivos que passa a expor."
        " Preliminarmente, argui ilegitimidade passiva. No mérito, não assiste razão à autora, pois o"
        " vazamento teve origem na unidade superior. Impugna os orçamentos juntados. Pede a"
        " improcedência da demanda e a condenação da autora nas custas.",
    ),
    (
        "contestacao",
        "CONTESTACAO TRABALHISTA\nReclamada: Panificadora Trigo Bom. Reclamante: Josue Matos. A"
        " reclamada impugna a jornada alegada na peticao inicial. Prejudicial de merito: prescricao"
        " quinquenal. As horas extras foram quitadas, conforme holerites e recibo de pagamento"
        " anexos. Pela improcedencia total da reclamacao.",
    ),
    (
        "sentenca",
        "TRIBUNAL DE JUSTIÇA DO ESTADO DA BAHIA\nJUIZADO ESPECIAL\nVistos. Dispensado o relatório, na"
        " forma do art. 38 da Lei 9.099/95. A ré apresentou contestação sustentando a regularidade da"
        " cobrança. Pelo exposto, julgo parcialmente procedentes os pedidos para declarar inexistente"
        " o débito e condenar a ré a pagar R$ 3.000,00. Sem custas. Publique-se. Registre-se."
        " Intimem-se.",
    ),
    (
        "sentenca",
        "S E N T E N Ç A\nHOMOLOGO, para que produza efeitos, o acordo celebrado entre as partes e,"
        " em consequência, extingo o processo com resolução do mérito (art. 487, III, b, do CPC)."
        " Certifique-se o trânsito em julgado e arquivem-se. Feira de Santana, 2 de abril de 2024.",
    ),
    (
        "sentenca",
        "JUSTICA FEDERAL. Trata-se de mandado de seguranca impetrado contra ato do gerente do INSS."
        " Liminar deferida. E o relatorio. Fundamento e decido. A demora supera o prazo da Lei"
        " 9.784/99. Diante do exposto, CONCEDO A SEGURANCA e julgo extinto o processo com resolucao"
        " do merito. Sem honorarios. P.R.I.",
    ),
    (
        "sentenca",
        "SENTENGA\nProcesso 0801234-55.2023.8.20.5001. 0 autor narra que comprou passagem aérea e o"
        " voo foi cancelado. Decido. Isto posto, JULGO IMPROCEDENTE a pretensão e condeno o autor nas"
        " custas e honorários.",
    ),
    (
        "acordao",
        "SUPERIOR TRIBUNAL DE JUSTIÇA\nRECURSO ESPECIAL Nº 1.234.567 – SP\nRELATORA: MINISTRA HELENA"
        " PRADO\nEMENTA. CIVIL. RESPONSABILIDADE. Sentença de improcedência mantida. ACÓRDÃO. Vistos"
        " e relatados estes autos, acordam os Ministros da Terceira Turma, por maioria, dar"
        " provimento ao recurso especial. Brasília, 4 de junho de 2024.",
    ),
    (
        "acordao",
        "Recurso Inominado. Recorrente: Loja Sul. Recorrido: Ari Lopes. VOTO. Trata-se de recurso"
        " contra sentença que julgou procedente o pedido. O recurso é tempestivo. No mérito, nego"
        " provimento, mantendo a sentença por seus fundamentos. Acordam os juízes da 2ª Turma"
        " Recursal, à unanimidade, nos termos do voto do relator.",
    ),
    (
        "acordao",
        "PODER JUDICIARIO. TRIBUNAL REGIONAL DO TRABALHO DA 4a REGIAO. ACORDAO"
        " 0020111-22.2021.5.04.0011 (ROT). Ementa: HORAS EXTRAS. CARTAO DE PONTO. Vistos, relatados e"
        " discutidos os autos. Deram provimento parcial ao recurso ordinario da reclamante."
        " Participaram do julgamento os desembargadores abaixo.",
    ),
    (
        "decisao_interlocutoria",
        "Vistos. 1. Defiro a gratuidade da justiça. 2. O autor pede tutela de urgência para excluir"
        " seu nome do cadastro de inadimplentes. Não vislumbro a probabilidade do direito, pois o"
        " contrato não veio aos autos. INDEFIRO a tutela. 3. Cite-se o réu. Intime-se. São Luís, 7 de"
        " maio de 2024. Juiz de Direito",
    ),
    (
        "decisao_interlocutoria",
        "DECISÃO\nAutos nº 0055555-10.2022.8.13.0024\nCuida-se de execução. Decorrido o prazo sem"
        " pagamento, defiro o bloqueio de ativos pelo SISBAJUD até o limite de R$ 44.120,10. Restando"
        " negativo, intime-se o exequente.",
    ),
    (
        "decisao_interlocutoria",
        "Decisao saneadora. Rejeito a preliminar de inepcia arguida na contestacao. Fixo como pontos"
        " controvertidos a culpa pelo acidente e os danos. Inverto o onus da prova. Defiro a prova"
        " pericial e nomeio perito o Dr. Caio. Intimem-se as partes.",
    ),
    (
        "decisao_interlocutoria",
        "PLANTÃO JUDICIÁRIO. Trata-se de comunicação de prisão em flagrante por roubo. Presentes os"
        " requisitos do art. 312 do CPP, converto o flagrante e decreto a prisão preventiva de Wesley"
        " Dias. Expeça-se mandado. Ciência ao Ministério Público.",
    ),
    (
        "despacho",
        "Processo 5001234-00.2024.4.04.7100/RS. Vistos. Manifeste-se a parte autora sobre a"
        " contestação em 15 dias. Após, digam as partes se há outras provas a produzir. Nada"
        " requerido, voltem conclusos para sentença.",
    ),
    (
        "despacho",
        "DESPACHO\nCumpra-se a carta precatória. Oficie-se ao cartório solicitando a certidão de"
        " óbito. Com a resposta, dê-se vista ao Ministério Público.",
    ),
    (
        "despacho",
        "ATO ORDINATÓRIO\nNos termos da Portaria 01/2019, fica a parte exequente intimada a recolher"
        " as custas da diligência do oficial de justiça, no prazo de 5 dias.",
    ),
    (
        "despacho",
        "Vistos. Designo audiencia de instrucao para 14/08/2024, as 14h. As partes deverao trazer"
        " suas testemunhas independentemente de intimacao. Int.",
    ),
    (
        "mandado_intimacao",
        "MANDADO DE INTIMAÇÃO\nO Doutor Juiz de Direito da Vara de Família manda a qualquer oficial"
        " de justiça que intime Karina Duarte para comparecer à audiência de 03/09/2024, às 9h."
        " Cumpra-se na forma da lei.",
    ),
    (
        "mandado_intimacao",
        "CARTA DE CITAÇÃO\nPrezado Senhor, pela presente fica Vossa Senhoria citado dos termos da"
        " ação de cobrança em trâmite neste Juizado, e intimado a comparecer à audiência de"
        " conciliação, sob pena de revelia. Destinatário: Otávio Reis.",
    ),
    (
        "mandado_intimacao",
        "JUSTICA DO TRABALHO. NOTIFICACAO INICIAL. Fica V. Sa. notificado e intimado a comparecer a"
        " audiencia inaugural da 3a Vara do Trabalho, no dia 10/10/2024, quando podera apresentar"
        " defesa. O nao comparecimento importara revelia e confissao.",
    ),
    (
        "mandado_intimacao",
        "Mandado de Despejo. O Oficial de Justica a quem este for distribuido, em cumprimento ao"
        " presente, proceda a desocupacao do imovel da Rua das Flores, 10, entregando-o ao locador."
        " Autorizado reforco policial.",
    ),
    (
        "certidao",
        "CERTIDÃO NEGATIVA DE DÉBITOS RELATIVOS AOS TRIBUTOS FEDERAIS\nNome: Gráfica Ponto Ltda."
        " Ressalvado o direito de a Fazenda cobrar dívidas, não constam pendências em nome do"
        " contribuinte. Válida até 12/12/2024.",
    ),
    (
        "certidao",
        "Certifico e dou fé que, em cumprimento ao mandado retro, dirigi-me ao endereço indicado e"
        " deixei de citar o réu por não encontrá-lo. Devolvo o mandado ao cartório. Oficial de"
        " Justiça matrícula 3321.",
    ),
    (
        "certidao",
        "REGISTRO DE IMÓVEIS DA COMARCA DE PETRÓPOLIS\nMatrícula nº 12.345, Livro 2. Imóvel: casa na"
        " Rua do Imperador. Proprietário: Célio Maia. R-1: compra e venda. AV-2: penhora. É o que"
        " consta. O oficial.",
    ),
    (
        "certidao",
        "CERTIDAO DE OBITO\nNome: Raimunda Nonata. Data do falecimento: 01/02/2023. Causa da morte:"
        " infarto. Declarante: seu filho.",
    ),
    (
        "procuracao",
        "PROCURAÇÃO\nEu, Tânia Braga, brasileira, casada, nomeio e constituo meu procurador o"
        " advogado Luís Farias, OAB/CE 9.876, a quem confiro poderes para me representar em ação de"
        " divórcio, podendo receber citação e firmar acordo.",
    ),
    (
        "procuracao",
        "SUBSTABELECIMENTO\nSubstabeleço, com reserva de iguais, na pessoa da Dra. Inês Paz, os"
        " poderes que me foram outorgados por Nilo Ramos nos autos 0001111-22.2020.8.19.0001.",
    ),
    (
        "procuracao",
        "Pelo presente instrumento particular, o outorgante abaixo qualificado, Edson Melo, constitui"
        " seus procuradores os advogados do escritório Vale & Nunes, com os poderes da cláusula ad"
        " judicia para o foro em geral, para propor ação contra o INSS.",
    ),
    (
        "contrato",
        "CONTRATO DE PRESTAÇÃO DE SERVIÇOS ADVOCATÍCIOS\nCONTRATANTE: Vera Pontes. CONTRATADA: Ramos"
        " Advocacia. Cláusula 1ª – A contratada obriga-se a propor ação indenizatória. Cláusula 2ª –"
        " Honorários de 30%. Fica eleito o foro de Recife.",
    ),
    (
        "contrato",
        "INSTRUMENTO PARTICULAR DE COMPROMISSO DE COMPRA E VENDA\nPromitente vendedor: Ivo Leme."
        " Promissário comprador: Caio Luz. As partes têm entre si justo e acertado a venda do lote 7."
        " O preço é de R$ 90.000,00, em 60 parcelas. Em caso de inadimplemento, o vendedor notificará"
        " o comprador.",
    ),
    (
        "contrato",
        "Pelo presente, o mutuante empresta ao mutuário a quantia de R$ 5.000,00, a ser devolvida em"
        " dez parcelas. Cláusula segunda: a mora sujeita o mutuário a multa de 2%. Assinam na"
        " presença de duas testemunhas. Foro da comarca de Natal.",
    ),
    (
        "contrato",
        "TERMO ADITIVO AO CONTRATO DE LOCACAO. Locadora: Rosa Lins. Locatario: Beto Paiva. Fica"
        " prorrogada a vigencia por 12 meses, com reajuste pelo IGP-M. Permanecem inalteradas as"
        " demais clausulas.",
    ),
    (
        "notificacao_extrajudicial",
        "À Sra. Joana Melo. Ref.: aluguéis em atraso. Na qualidade de procuradora do locador,"
        " NOTIFICO V. Sa. para que, em 5 dias, quite os aluguéis de março e abril ou desocupe o"
        " imóvel, sob pena de ajuizamento da ação de despejo.",
    ),
    (
        "notificacao_extrajudicial",
        "NOTIFICAÇÃO EXTRAJUDICIAL\nPrezados Senhores, servimo-nos da presente para notificá-los de"
        " que o contrato de fornecimento será rescindido em 30 dias. Atenciosamente, Comercial Ipê"
        " Ltda.",
    ),
    (
        "notificacao_extrajudicial",
        "CONTRANOTIFICACAO\nContranotificante: Escola Saber. Contranotificada: Livraria Tomo. Em"
        " resposta a sua notificacao de 10/05/2024, informa que nada deve e que tomara as medidas"
        " judiciais cabiveis se houver protesto.",
    ),
    (
        "notificacao_extrajudicial",
        "Curitiba, 3 de maio de 2024. A Construtora Lar. Fica essa empresa notificada a reparar, em"
        " 15 dias do recebimento desta, as infiltracoes do apartamento 502, sob pena das medidas"
        " judiciais cabiveis. Carta com aviso de recebimento.",
    ),
    (
        "boletim_ocorrencia",
        "GOVERNO DO ESTADO – 5ª DELEGACIA DE POLÍCIA\nRegistro de Ocorrência nº 052-01234/2024. Fato:"
        " ameaça. Local do fato: Rua A. Data e hora do fato: 01/03/2024 22:10. A declarante informa"
        " que o ex-companheiro a ameaçou de morte por mensagem.",
    ),
    (
        "boletim_ocorrencia",
        "POLÍCIA MILITAR. BO 2024-000987. Acidente de trânsito com vítima. A guarnição foi acionada e"
        " encontrou os veículos parados. Versão do condutor 1: que seguia na preferencial. Vítima"
        " socorrida ao hospital com fratura. Autoria: ignorada.",
    ),
    (
        "boletim_ocorrencia",
        "BOLETIM ELETRONICO DE OCORRENCIA. Natureza: furto de celular. Comunicante: Igor Sena."
        " Relato: o comunicante viajava de onibus quando notou a falta do aparelho. Nota fiscal do"
        " aparelho anexada.",
    ),
    (
        "nota_fiscal_boleto",
        "Banco do Cerrado | 001-9 | 00190.00009 01234.567891 23456.789012 3"
        " 95000000012345\nBeneficiário: Faculdade Norte. Pagador: Lia Torres. Vencimento 10/06/2024."
        " Valor do documento R$ 780,00. Nosso número 123456.",
    ),
    (
        "nota_fiscal_boleto",
        "PREFEITURA DE SANTOS – NFS-e\nPrestador: Clínica Sorriso Ltda. Tomador: Davi Luz."
        " Discriminação: tratamento odontológico. Valor do serviço R$ 1.200,00. ISS 2%. Código de"
        " verificação ABCD-1234.",
    ),
    (
        "nota_fiscal_boleto",
        "Companhia Energetica Sul - Conta de energia eletrica. Cliente: Mauro Brito. Consumo 210 kWh."
        " Total a pagar R$ 198,55. Vencimento: 20/05/2024. Codigo de barras 8366 0000.",
    ),
    (
        "nota_fiscal_boleto",
        "CUPOM FISCAL ELETRONICO - SAT. Supermercado Bom Dia. CNPJ 11.222.333/0001-81. 001 ARROZ 5KG"
        " 1 UN X 25,90. TOTAL R$ 25,90. Dinheiro 30,00 Troco 4,10",
    ),
    (
        "holerite",
        "Demonstrativo de Pagamento Mensal\nPrefeitura de Olinda. Servidor: Eliane Costa. Matrícula"
        " 4455. Vencimento básico 2.900,00. Quinquênio 290,00. Previdência 406,00. Imposto de renda"
        " 35,12. Total líquido 2.748,88.",
    ),
    (
        "holerite",
        "CONTRACHEQUE 05/2024 | Empresa: Transportes Veloz | Colaborador: Hugo Pires | Função:"
        " motorista | Horas extras 50% 312,00 | Vale-transporte -120,00 | INSS -198,40 | FGTS do mês"
        " 176,00 | Valor líquido 2.014,60",
    ),
    (
        "holerite",
        "Padaria Central. Folha mensal abril/2024. Empregado: Joel Assis, CBO 5134. Proventos:"
        " salario 1.650,00. Descontos: INSS 130,00, adiantamento 400,00. Liquido a receber 1.120,00."
        " Assinatura do funcionario.",
    ),
    (
        "laudo_medico",
        "ATESTADO\nAtesto, para os devidos fins, que o Sr. Plínio Vaz necessita de 15 dias de"
        " afastamento do trabalho a partir desta data. CID M54.5. Dr. Ney Prado, CRM/PR 22.111.",
    ),
    (
        "laudo_medico",
        "RESSONÂNCIA MAGNÉTICA DA COLUNA LOMBAR\nPaciente: Neide Alves. Técnica: sequências em T1 e"
        " T2. Achados: protrusão discal L4-L5. Impressão diagnóstica: discopatia degenerativa.",
    ),
    (
        "laudo_medico",
        "Declaro que a menor Sofia, 7 anos, esta em acompanhamento neurologico com diagnostico de"
        " transtorno do espectro autista, CID-10 F84.0, necessitando de terapia ABA por tempo"
        " indeterminado, conforme solicitado ao plano. Dra. Lara, CRM 7788.",
    ),
    (
        "laudo_medico",
        "Hospital Santa Rita. Resumo de alta. Internada em 02/03 com dor abdominal, submetida a"
        " cirurgia sem intercorrencias. Uso continuo de omeprazol 20 mg. Retorno ambulatorial em 10"
        " dias.",
    ),
    (
        "carta_email",
        "De: Rui Castro\nPara: contato@escritorio.example\nAssunto: notificação que recebi\n\nBom"
        " dia, recebi ontem uma notificação do banco dizendo que vão entrar com ação. Segue a cópia."
        " O que eu faço? Obrigado, Rui",
    ),
    (
        "carta_email",
        "Caro cliente, informamos que sua solicitação de cancelamento foi recebida e será analisada"
        " em até 5 dias úteis. Em caso de dúvida, fale com nossa central. Cordialmente, Equipe de"
        " Atendimento.",
    ),
    (
        "carta_email",
        "Belém, 8 de abril de 2024. Querida Dra. Sônia, escrevo para contar como ficou a audiência do"
        " meu divórcio. O juiz adiou para agosto. A senhora acha que preciso levar testemunhas? Um"
        " abraço, Mirtes",
    ),
    (
        "carta_email",
        "Boa noite doutor td bem? Mandei as fotos da batida e o BO. O seguro disse que vai pagar mas"
        " até agora nada. Aguardo seu retorno. Att, Fábio",
    ),
    (
        "outro",
        "Receita de bolo de fubá. Ingredientes: 3 ovos, 2 xícaras de fubá. Modo de preparo: bata tudo"
        " e asse por 40 minutos.",
    ),
    (
        "outro",
        "ATA DE ASSEMBLEIA GERAL ORDINÁRIA do Condomínio Solar. Aos 10 de março de 2024 reuniram-se"
        " os condôminos para eleger o síndico. Nada mais havendo, lavrou-se a presente ata.",
    ),
    (
        "outro",
        "EXCELENTÍSSIMO SENHOR JUIZ DE DIREITO. Fulano de Tal, já qualificado nos autos, vem interpor"
        " RECURSO DE APELAÇÃO contra a sentença que julgou improcedente o pedido, pelas razões"
        " anexas. Requer o provimento do recurso. Pede deferimento.",
    ),
    (
        "outro",
        "EXTRATO BANCÁRIO. Agência 1234. Período 01/05 a 31/05/2024. Saldo anterior 1.020,00. Compra"
        " cartão 55,90. Pix recebido 300,00. Saldo final 1.264,10.",
    ),
    (
        "outro",
        "Lista de compras da semana: arroz, feijão, café, sabão. Ligar para a oficina. Buscar as crianças às 17h.",
    ),
)
