// Takes a beat of each input together and offers their sum in the same cycle: latency 0. Input a is unsigned, b is signed.
module join_sum (
    input  logic        aclk,
    input  logic        aresetn,
    input  logic [7:0]  s_axis_a_tdata,
    input  logic        s_axis_a_tvalid,
    output logic        s_axis_a_tready,
    input  logic        s_axis_a_tlast,
    input  logic [15:0] s_axis_b_tdata,
    input  logic        s_axis_b_tvalid,
    output logic        s_axis_b_tready,
    input  logic        s_axis_b_tlast,
    output logic [23:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic        m_axis_tlast
);
    logic both;
    logic signed [17:0] sum;

    assign both            = s_axis_a_tvalid && s_axis_b_tvalid;
    assign s_axis_a_tready = both && m_axis_tready && aresetn;
    assign s_axis_b_tready = both && m_axis_tready && aresetn;
    assign sum             = 18'($signed({1'b0, s_axis_a_tdata})) + 18'($signed(s_axis_b_tdata));
    assign m_axis_tdata    = {6'b0, sum};
    assign m_axis_tvalid   = both && aresetn;
    assign m_axis_tlast    = s_axis_a_tlast && s_axis_b_tlast;

    wire unused_clock = aclk;
endmodule
